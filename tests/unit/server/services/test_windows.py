"""Windows of lists."""

from typing import Final

from actions.v1 import admin_pb2 as pb
from server.services.windows import window_of
from tests.support.tables import cases

ENTRIES: Final = "abcde"


@cases(
    "offset, limit, expected",
    {
        "all": (0, 0, "abcde"),
        "first": (0, 2, "ab"),
        "middle": (2, 2, "cd"),
        "last": (4, 2, "e"),
        "after the last": (5, 2, ""),
        "rest": (3, 0, "de"),
        "largest": (2**64 - 1, 1000, ""),
    },
)
def test_a_window_has_a_part_of_a_list(offset: int, limit: int, expected: str) -> None:
    window = window_of(pb.ListUsersRequest(offset=offset, limit=limit))
    assert "".join(window.of([*ENTRIES])) == expected
