"""The messages of a request's body, read as they come: pieces, waits, bytes held."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import pytest
from grpc import StatusCode

from transcoder.errors import TranscodeError, malformed, too_slow
from transcoder.http.ceiling import Ceiling, Held
from transcoder.options import Limits
from transcoder.protocols.streams import RequestMessages, Turn

if TYPE_CHECKING:
    from transcoder.http.exchange import HttpExchange

LIMITS = Limits(body_timeout_s=2.0, stream_idle_timeout_s=60.0)


class Pieces:
    """Stands in for an exchange: gives pieces, then waits; notes what each wait was for."""

    def __init__(self, pieces: Sequence[bytes], *, is_whole: bool) -> None:
        self.waits: list[tuple[str, float]] = []
        self._pieces = list(pieces)
        self._is_whole = is_whole

    async def next_piece(self, *, until: float, timeout_s: float, what: str) -> tuple[bytes, bool]:
        self.waits.append((what, timeout_s))
        assert until <= asyncio.get_running_loop().time() + timeout_s
        if not self._pieces:
            raise too_slow(what, limit_s=timeout_s)
        piece = self._pieces.pop(0)
        return piece, bool(self._pieces) or not self._is_whole


class Letters:
    """Messages of two letters; "!" is none."""

    def __init__(self) -> None:
        self._left = b""
        self.is_finished = False

    @property
    def held_bytes(self) -> int:
        return len(self._left)

    @property
    def is_within(self) -> bool:
        return bool(self._left)

    def feed(self, piece: bytes) -> None:
        self._left += piece

    def finish(self) -> None:
        self.is_finished = True

    def next(self) -> bytes | None:
        if self._left.startswith(b"!"):
            raise malformed("body: expected a letter")
        if len(self._left) < 2:
            return None
        message, self._left = self._left[:2], self._left[2:]
        return message


def reading(pieces: Pieces, ceiling: Ceiling | None = None) -> RequestMessages[bytes]:
    held = Held(ceiling or Ceiling(max_bytes=1000, small_bytes=10))
    exchange = cast("HttpExchange", cast("Any", pieces))
    return RequestMessages(exchange, Letters(), limits=LIMITS, held=held, turn=Turn())


async def all_of(messages: RequestMessages[bytes]) -> list[bytes]:
    found = []
    while (message := await messages.next()) is not None:
        found.append(message)
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 6])
async def test_messages_are_the_same_however_the_body_is_cut(size: int) -> None:
    body = b"aabbcc"
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    assert await all_of(reading(Pieces(pieces, is_whole=True))) == [b"aa", b"bb", b"cc"]


async def test_an_empty_body_has_no_messages() -> None:
    messages = reading(Pieces([b""], is_whole=True))
    assert await messages.next() is None
    assert await messages.next() is None


async def test_a_message_that_has_begun_has_less_time_than_one_that_has_not() -> None:
    pieces = Pieces([b"aab"], is_whole=False)
    messages = reading(pieces)
    assert await messages.next() == b"aa"
    with pytest.raises(TranscodeError, match="the rest of a message did not arrive within 2 s"):
        await messages.next()
    assert pieces.waits == [("the next message", 60.0), ("the rest of a message", 2.0)]


async def test_a_body_that_failed_fails_again() -> None:
    messages = reading(Pieces([b"aa!"], is_whole=True))
    assert await messages.next() == b"aa"
    for _ in range(2):
        with pytest.raises(TranscodeError, match="expected a letter") as raised:
            await messages.next()
        assert raised.value.code is StatusCode.INVALID_ARGUMENT


async def test_bytes_count_until_their_message_is_taken() -> None:
    ceiling = Ceiling(max_bytes=8, small_bytes=8)
    messages = reading(Pieces([b"aabbc", b"cd"], is_whole=False), ceiling)
    counted = []
    for _ in range(3):
        await messages.next()
        counted.append(ceiling.held_bytes)
    assert counted == [3, 1, 1]


async def test_a_piece_beyond_the_bytes_of_all_bodies_is_refused() -> None:
    ceiling = Ceiling(max_bytes=4, small_bytes=4)
    with pytest.raises(TranscodeError, match="too many request bodies"):
        await reading(Pieces([b"aabbc"], is_whole=False), ceiling).next()
