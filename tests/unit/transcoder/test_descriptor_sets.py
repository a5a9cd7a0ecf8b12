"""Descriptor sets, of which some cannot be."""

from google.protobuf import text_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool

from tests.support.raised import misconfigured
from tests.support.tables import cases
from transcoder.descriptor_sets import TypePools, read_set, services_in

NO_TYPE = 'name: "a" service { name: "S" method { name: "M" input_type: ".no" } }'


def a_set(*files: FileDescriptorProto) -> bytes:
    return FileDescriptorSet(file=files).SerializeToString()


def file(name: str, *imports: str, service: str = "") -> FileDescriptorProto:
    made = FileDescriptorProto(name=name, package="p", dependency=imports)
    if service:
        made.service.add(name=service)
    return made


def test_files_may_be_in_any_order() -> None:
    files = read_set(a_set(file("b", "a", service="B"), file("a", service="A")))
    assert list(services_in(files)) == ["p.B", "p.A"]


def test_files_of_google_may_be_left_out() -> None:
    (read,) = read_set(a_set(file("a", "google/api/annotations.proto")))
    assert [each.name for each in read.dependencies] == ["google/api/annotations.proto"]


@cases(
    "given, message",
    {
        "an import that is missing": (
            a_set(file("a", "b.proto")),
            "descriptor_set: 'a' imports 'b.proto': write the set with --include_imports",
        ),
        "files that import each other": (
            a_set(file("a", "b"), file("b", "a")),
            "descriptor_set: expected no file that imports itself, got 'a'",
        ),
        "a service of an unknown type": (
            a_set(text_format.Parse(NO_TYPE, FileDescriptorProto())),
            "descriptor_set: expected valid descriptors, got those of 'a'",
        ),
    },
)
def test_a_set_that_cannot_be_is_refused(given: bytes, message: str) -> None:
    with misconfigured(message):
        read_set(given)


def test_a_type_is_found_in_each_pool() -> None:
    pool = DescriptorPool()
    made = file("a")
    made.message_type.add(name="OnlyHere")
    pool.AddSerializedFile(made.SerializeToString())
    types = TypePools()
    types.add(pool)
    assert types.FindMessageTypeByName("p.OnlyHere").full_name == "p.OnlyHere"
    assert types.FindMessageTypeByName("google.protobuf.Any").full_name == "google.protobuf.Any"
