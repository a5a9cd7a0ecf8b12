"""Types that reach others, also each other."""

from collections.abc import Mapping, Sequence

from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from tests.support.tables import cases
from transcoder.codec.reach import Reach


def types(fields: Mapping[str, Sequence[str]]) -> dict[str, Descriptor]:
    """Makes message types with fields of others, given by the names of all."""
    file = FileDescriptorProto(name="reach.proto", package="r", syntax="proto3")
    for name, others in fields.items():
        message = file.message_type.add(name=name)
        for number, other in enumerate(others, 1):
            message.field.add(
                name=f"f{number}",
                number=number,
                type="TYPE_MESSAGE",
                label="LABEL_OPTIONAL",
                type_name=f".r.{other}",
            )
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return {name: pool.FindMessageTypeByName(f"r.{name}") for name in fields}


def is_hit(descriptor: Descriptor) -> bool:
    return descriptor.name == "Hit"


@cases(
    "fields, reaching",
    {
        "itself": ({"Hit": []}, {"Hit"}),
        "none": ({"A": ["B"], "B": []}, set()),
        "by another": ({"A": ["B"], "B": ["Hit"], "Hit": []}, {"A", "B", "Hit"}),
        "types that reach each other": (
            {"A": ["B", "C"], "B": ["A"], "C": ["A", "Hit"], "Hit": [], "D": ["D"]},
            {"A", "B", "C", "Hit"},
        ),
        "one that is reached, not reaching": ({"Hit": ["A"], "A": ["A"]}, {"Hit"}),
    },
)
def test_types_reach_a_property_whichever_is_asked_first(
    fields: dict[str, list[str]], reaching: set[str]
) -> None:
    made = types(fields)
    for first in made:
        reach = Reach(is_hit)
        order = [first, *(name for name in made if name != first)]
        assert {name for name in order if reach(made[name])} == reaching


def test_each_type_of_a_chain_is_looked_at_once() -> None:
    chain = {f"T{number}": [f"T{number + 1}"] for number in range(500)} | {"T500": []}
    made = types(chain)
    asked = []

    def has(descriptor: Descriptor) -> bool:
        asked.append(descriptor.name)
        return False

    reach = Reach(has)
    assert not any(reach(each) for each in made.values())
    assert sorted(asked) == sorted(made)
