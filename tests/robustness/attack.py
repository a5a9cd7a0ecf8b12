"""Sends requests that nobody sends in good faith, many at a time, and judges what comes back.

Wrong, whatever was sent: a status of 500 or more (but 501, which says that the service has no such
method), an answer that is not HTTP or not in our words, no answer to a request that keeps the
rules, and 5 seconds without either an answer or the end of the connection.
"""

import asyncio
import contextlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

PATIENCE_S: Final = 5.0
PLAIN: Final = "text/plain; charset=utf-8"
"""Content type of gRPC-Web refusals before the call: JSON would look like another protocol."""

PAUSE_S: Final = 1.0
AT_ONCE: Final = 32
GOODBYE: Final = b"\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
"""Sent behind a raw request: if the server still listens, it answers this and hangs up."""

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.1 ([0-9]{3}) [^\r\n]*\r\n")
_BODILESS: Final = frozenset({100, 204, 304})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request: octets on a connection that others may use too, or on one of their own."""

    octets: bytes
    is_raw: bool


@dataclass(slots=True)
class Report:
    """The outcomes of all requests of an attack.

    Attributes:
        statuses: how often each came; 0 for a connection that ended without an answer.
        faults: what was wrong, with the octets that were sent.
    """

    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[tuple[str, bytes]] = field(default_factory=list)

    def of(self, least: int) -> int:
        """Returns how many answers had this status or a higher one."""
        return sum(count for status, count in self.statuses.items() if status >= least)


async def attack(address: str, attempts: Iterable[Attempt], *, at_once: int = AT_ONCE) -> Report:
    report = Report()
    iterator = iter(attempts)
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(_attack(address, iterator, report))
    return report


async def _attack(address: str, attempts: Iterator[Attempt], report: Report) -> None:
    kept = Connection(address)
    for attempt in attempts:
        report.sent += 1
        connection = Connection(address) if attempt.is_raw else kept
        try:
            async with asyncio.timeout(PATIENCE_S):
                if attempt.is_raw:
                    statuses = await connection.raw(attempt.octets)
                else:
                    statuses = [await connection.structured(attempt.octets)]
        except TimeoutError:
            report.faults.append((f"nothing within {PATIENCE_S:g} s", attempt.octets))
            connection.close()
            continue
        except WrongAnswerError as wrong:
            report.faults.append((str(wrong), attempt.octets))
            connection.close()
            continue
        report.statuses.update(statuses or [0])
        report.faults += [
            (f"status {status}", attempt.octets)
            for status in statuses
            if status >= 500 and status != HTTPStatus.NOT_IMPLEMENTED
        ]
    kept.close()


class WrongAnswerError(Exception):
    """The bytes received are not a valid answer."""


class Connection:
    """Opened when it is used, and again when it was closed."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._address = host, int(port)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._may_be_text = False

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def structured(self, octets: bytes) -> int:
        """The status of the answer, which must come."""
        reader = await self._send(octets)
        has_body = not octets.startswith(b"HEAD ")
        status = 100
        while status == 100:
            try:
                status, closes = await self._answer(reader, has_body=has_body)
            except EOFError:
                raise WrongAnswerError("hangs up without an answer") from None
        if closes:
            self.close()
        return status

    async def raw(self, octets: bytes) -> list[int]:
        """The statuses of all answers until the server hangs up, or has no more to say.

        Once it has answered it may wait for the rest of what looks like another request.
        """
        reader = await self._send(octets + GOODBYE)
        statuses: list[int] = []
        with contextlib.suppress(EOFError):
            while True:
                try:
                    async with asyncio.timeout(PAUSE_S if statuses else None):
                        status, closes = await self._answer(reader, has_body=True)
                except TimeoutError:
                    break
                statuses.append(status)
                if closes and await _rest(reader):
                    raise WrongAnswerError("goes on behind its last answer")
        self.close()
        return statuses

    async def _send(self, octets: bytes) -> asyncio.StreamReader:
        if self._streams is None or self._streams[0].at_eof():
            self.close()
            self._streams = await asyncio.open_connection(*self._address)
        reader, writer = self._streams
        self._may_be_text = b"application/grpc-web" in octets.lower()
        writer.write(octets)
        return reader

    async def _answer(self, reader: asyncio.StreamReader, *, has_body: bool) -> tuple[int, bool]:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as ended:
            if ended.partial:
                raise WrongAnswerError(f"ends within a head: {ended.partial[:60]!r}") from None
            raise EOFError from None
        except ConnectionError:
            raise EOFError from None
        match = _STATUS_LINE.match(head)
        if match is None:
            raise WrongAnswerError(f"no HTTP answer: {head[:60]!r}")
        status = int(match[1])
        lines = head[match.end() :].decode("latin-1").lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if line)
        body = b""
        if has_body and status not in _BODILESS:
            body = await reader.readexactly(int(headers["content-length"]))
            if not (self._may_be_text and headers.get("content-type") == PLAIN):
                _check(status, headers, body)
        return status, headers.get("connection") == "close"


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""


def _check(status: int, headers: dict[str, str], body: bytes) -> None:
    """Hold an answer against our words: google.rpc.Status with every error."""
    if status < 400 or headers.get("content-encoding"):
        return
    try:
        error = json.loads(body)
        is_ours = headers["content-type"] == "application/json" and error.keys() >= {"code"}
    except (ValueError, KeyError, AttributeError):
        is_ours = False
    if not is_ours:
        raise WrongAnswerError(f"{status} in other words: {body[:60]!r}")
