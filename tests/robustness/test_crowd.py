"""4,000 connections more than the service takes, at the port of all protocols: R23."""

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from tests.robustness.raw import request
from tests.support.certificates import Authority
from tests.support.connections import answer_of
from tests.support.real_server import ACTIONS, ONE_PORT, RealServer
from tests.support.tables import cases

pytestmark = pytest.mark.timeout(300)

MORE: Final = 4_000
FEW_FILES: Final = "tests.robustness.crowded_service"
AT_ONCE: Final = 100
EVERY_S: Final = 3.0
"""Seconds between two requests of a connection: one that is idle for 15 s is closed."""
CLOSED_MAX_S: Final = 60.0
HEALTHZ: Final = request("GET", "/healthz")
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Kept:
    """A connection that asks again and again."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self._turn = asyncio.Lock()

    async def ask(self, octets: bytes = HEALTHZ) -> int:
        """Returns the status of the answer.

        Raises:
            asyncio.IncompleteReadError, ConnectionError: the server closed it.
        """
        async with self._turn:
            self.writer.write(octets)
            head, _ = await answer_of(self._reader)
        return int(head.split()[1])

    async def ask_forever(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            assert await self.ask() == 200


class Crowd:
    """Connects to one address."""

    def __init__(self, address: str, trusted: ssl.SSLContext | None) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._trusted = trusted

    async def connect(self) -> Kept:
        return Kept(*await asyncio.open_connection(self._host, self._port, ssl=self._trusted))

    async def is_answered(self) -> bool:
        """True if a new connection has an answer."""
        try:
            kept = await self.connect()
        except (ConnectionError, ssl.SSLError):
            return False
        with contextlib.closing(kept.writer):
            try:
                return await kept.ask() == 200
            except (asyncio.IncompleteReadError, ConnectionError):
                return False

    async def octets_for(self, sent: bytes) -> bytes:
        """Returns what comes to a new connection without TLS, until it is closed."""
        reader, writer = await asyncio.open_connection(self._host, self._port)
        with contextlib.closing(writer):
            try:
                writer.write(sent)
                async with asyncio.timeout(CLOSED_MAX_S):
                    return await reader.read()
            except ConnectionError:  # closed before its octets were read
                return b""

    @contextlib.asynccontextmanager
    async def full(self, connections: int) -> AsyncIterator[list[Kept]]:
        """Takes so many connections, and keeps them busy."""
        kept: list[Kept] = []
        async with asyncio.TaskGroup() as group:
            tasks = []
            for _ in range(connections):
                kept.append(await self.connect())
                assert await kept[-1].ask() == 200
                tasks.append(group.create_task(kept[-1].ask_forever()))
            yield kept
            for task in tasks:
                task.cancel()
        for each in kept:
            each.writer.close()


@cases("has_tls", {"plain": False, "TLS": True})
async def test_connections_above_the_cap_are_closed_unread_and_others_go_on(
    tmp_path: Path, *, has_tls: bool
) -> None:
    authority = Authority(tmp_path)
    options = authority.pair().options if has_tls else ()
    trusted = ssl.create_default_context(cafile=authority.path) if has_tls else None
    with RealServer(tmp_path / "data", *ONE_PORT, *options, module=FEW_FILES) as server:
        crowd = Crowd(server.http, trusted)
        (few,) = re.findall(r"fewer connections than by default.* http=(\d+)", server.log())
        async with crowd.full(int(few)) as kept:
            got = set()
            for number in range(MORE // AT_ONCE):
                sent = (HEALTHZ, PREFACE)[number % 2]
                got |= {*await asyncio.gather(*(crowd.octets_for(sent) for _ in range(AT_ONCE)))}
                body = b'{"name":"a%d","script":"s"}' % number
                made = request("POST", ACTIONS, body, token=server.token)
                assert await kept[number].ask(made) == 200
            assert got == {b""}
            assert not await crowd.is_answered()
            kept.pop().writer.close()
        async with asyncio.timeout(CLOSED_MAX_S):
            while not await crowd.is_answered():
                await asyncio.sleep(0.05)
