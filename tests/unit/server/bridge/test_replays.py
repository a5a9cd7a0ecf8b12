"""Signatures that come again: at once they are equal calls, later they are replays."""

from server.bridge.replays import Replays
from tests.support.tables import cases

NOW = 1_000_000
AT = 1_700_000_000


def signature(number: int) -> bytes:
    return number.to_bytes(32, "big")


@cases(
    "after_s, is_replay",
    {"at once": (0, False), "3 s later": (3, False), "4 s later": (4, True), "later": (299, True)},
)
def test_a_repetition_is_refused_once_it_is_late(after_s: int, is_replay: bool) -> None:
    replays = Replays()
    assert not replays.is_replay(signature(1), at_s=AT, now_s=NOW)
    assert replays.is_replay(signature(1), at_s=AT, now_s=NOW + after_s) == is_replay


def test_repetitions_do_not_prolong_the_time_in_which_they_are_answered() -> None:
    replays = Replays()
    refused = [replays.is_replay(signature(1), at_s=AT, now_s=NOW + s) for s in range(0, 9, 2)]
    assert refused == [False, False, True, True, True]


def test_other_signatures_are_not_replays() -> None:
    replays = Replays()
    for number in range(10):
        assert not replays.is_replay(signature(number), at_s=AT, now_s=NOW)


def test_a_signature_is_remembered_as_long_as_its_time_may_be_in_the_window() -> None:
    replays = Replays()
    replays.is_replay(signature(1), at_s=AT + 300, now_s=NOW)
    assert replays.is_replay(signature(1), at_s=AT + 300, now_s=NOW + 600)


def test_what_was_forgotten_for_room_is_refused_all_the_same() -> None:
    replays = Replays(remembered_max=2)
    for number in range(3):
        assert not replays.is_replay(signature(number), at_s=AT + number, now_s=NOW)
    assert replays.is_replay(signature(0), at_s=AT, now_s=NOW + 1)
    assert not replays.is_replay(signature(3), at_s=AT + 1, now_s=NOW + 1)


def test_memory_is_bounded() -> None:
    replays = Replays(remembered_max=10)
    for number in range(100):
        replays.is_replay(signature(number), at_s=AT + number, now_s=NOW)
    remembered = [
        number
        for number in range(100)
        if replays.is_replay(signature(number), at_s=AT + number, now_s=NOW + 4)
    ]
    assert remembered == list(range(100))
