"""Finds the target in ZITADEL that belongs to a target here."""

import pytest

from actions.v1 import bridge_pb2 as pb
from server.connecting.actions_api import JSON, Execution, TargetThere, There
from server.connecting.errors import ConnectError
from server.connecting.link import Link, link_of
from tests.support.tables import cases

NAME = "zitadel.example"


def here(id: str, name: str = NAME) -> pb.Target:
    return pb.Target(id=id, name=name)


def target(id: str, endpoint: str) -> TargetThere:
    return TargetThere(id, "t", endpoint, 10_000, True, True, JSON, signing_key="k")


def state(*targets: TargetThere, used: tuple[str, ...] = ()) -> There:
    execution = Execution({"function": {"name": "preuserinfo"}}, used)
    return There(frozenset(), targets, [execution] if used else [])


ONE = target("91", "https://a.example/targets/1")
SAME = target("92", "https://b.example/prefix/targets/1/")
TWO = target("93", "https://a.example/targets/2")
OTHER = target("94", "https://a.example/targets/12")
SAME2 = target("95", "https://b.example/targets/12")
LINKED = Link(here("2", "x"), TWO)


@cases(
    "ours, there, link",
    {
        "nothing yet": ([], state(), Link()),
        "another service's only": ([here("2", "x")], state(SAME), Link()),
        "a name alone": ([here("2", "x"), here("1")], state(SAME2), Link(here("1"))),
        "a path": ([here("1", "by hand")], state(OTHER, ONE), Link(here("1", "by hand"), ONE)),
        "a path before a name": (
            [here("1"), here("2", "x")], state(TWO), Link(here("2", "x"), TWO),
        ),
        "a path and a name": ([here("1"), here("2", "x")], state(TWO, ONE), Link(here("1"), ONE)),
        "the one that is used": (
            [here("1")], state(ONE, SAME, used=("7", "92")), Link(here("1"), SAME, (ONE,)),
        ),
        "both are used": (
            [here("1")],
            state(ONE, SAME, used=("92", "91")),
            Link(here("1"), ONE, doubles=(SAME,)),
        ),
        "one that does not open": ([here("1", "")], state(ONE), Link(there=ONE)),
        "an id that is gone": ([here("3")], state(SAME, TWO), Link(here("3"), TWO)),
        "an id that is another's": ([here("2", "x"), here("3")], state(OTHER, TWO), LINKED),
    },
)  # fmt: skip
def test_a_link_is_found(ours: list[pb.Target], there: There, link: Link) -> None:
    assert link_of(NAME, ours, there, public_url="https://a.example") == link


def test_several_links_are_refused() -> None:
    with pytest.raises(ConnectError, match="ZITADEL calls 2 targets here, 1, 2, expected one"):
        link_of(NAME, [here("1", "x"), here("2", "y")], state(ONE, TWO))
