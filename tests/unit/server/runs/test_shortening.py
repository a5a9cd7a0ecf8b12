"""Shortens the results of a run."""

import pytest

from actions.v1 import execution_pb2 as pb
from server.runs.shortening import shorten_results, shorten_text


def result(name: str, *lines: str, state: pb.ActionState.ValueType) -> pb.ActionResult:
    made = pb.ActionResult(name=name, state=state, allowed_to_fail=True)
    made.duration.nanos = 5
    for line in lines:
        made.logs.add(level=pb.LOG_LEVEL_INFO, text=line)
    return made


RAN, FAILED, SKIPPED = (pb.ACTION_STATE_SUCCEEDED, pb.ACTION_STATE_FAILED, pb.ACTION_STATE_SKIPPED)
RESULTS = [
    result("first", "a" * 100, state=RAN),
    result("second", "b" * 100, state=RAN),
    result("third", "c" * 100, "d" * 100, "e" * 10, state=FAILED),
    result("fourth", state=SKIPPED),
]


@pytest.mark.parametrize(
    ("max_bytes", "expected"),
    [
        pytest.param(518, [("first", "a"), ("second", "b"), ("third", "cde"), ("fourth", "")]),
        pytest.param(517, [("first", ""), ("second", "b"), ("third", "cde"), ("fourth", "")]),
        pytest.param(450, [("first", ""), ("second", "b"), ("third", "cde"), ("fourth", "")]),
        pytest.param(250, [("first", ""), ("second", ""), ("third", "de"), ("fourth", "")]),
        pytest.param(150, [("first", ""), ("second", ""), ("third", "e"), ("fourth", "")]),
        pytest.param(104, [("first", ""), ("second", ""), ("third", "e"), ("fourth", "")]),
        pytest.param(103, [("first", ""), ("second", ""), ("third", ""), ("fourth", "")]),
        pytest.param(86, [("first", ""), ("second", ""), ("third", ""), ("fourth", "")]),
        pytest.param(85, [("first", ""), ("second", ""), ("third", "e")]),
        pytest.param(50, [("second", ""), ("third", "")]),
        pytest.param(0, [("third", "")]),
    ],
)
def test_the_first_log_lines_are_dropped_first(
    max_bytes: int, expected: list[tuple[str, str]]
) -> None:
    told, is_shortened = shorten_results(RESULTS, max_bytes)
    assert [(one.name, "".join(line.text[0] for line in one.logs)) for one in told] == expected
    assert is_shortened is (max_bytes < 518)
    assert sum(one.ByteSize() for one in told) <= max(max_bytes, 50)
    assert all(one.allowed_to_fail for one in told)


def test_shortening_makes_a_copy() -> None:
    before = [one.SerializeToString() for one in RESULTS]
    shorten_results(RESULTS, 0)
    assert [one.SerializeToString() for one in RESULTS] == before


@pytest.mark.parametrize(
    ("text", "max_bytes", "expected"),
    [
        pytest.param("abcdef", 6, "abcdef", id="fits"),
        pytest.param("abcdef", 5, "ab…", id="does not"),
        pytest.param("ääää", 8, "ääää", id="fits, in octets"),
        pytest.param("ääää", 7, "ää…", id="does not, in octets"),
        pytest.param("a€€", 6, "a…", id="no half of a letter"),
    ],
)
def test_a_text_is_cut_by_its_octets(text: str, max_bytes: int, expected: str) -> None:
    assert shorten_text(text, max_bytes) == expected
    assert len(expected.encode()) <= max_bytes
