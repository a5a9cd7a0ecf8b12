import asyncio
from typing import Final

from transcoder.http.keep_alive import KeepAlive

PATIENCE_S: Final = 10


class Connection:
    """Notes that it was closed."""

    def __init__(self, closed: list[str], name: str) -> None:
        self._closed = closed
        self._name = name

    def close(self) -> None:
        self._closed.append(self._name)


async def until_closed(closed: list[str], count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while len(closed) < count:
            await asyncio.sleep(0.01)


async def test_idle_connections_are_closed_in_the_order_they_became_idle() -> None:
    closed: list[str] = []
    keep_alive = KeepAlive(0.05)
    first, second = Connection(closed, "first"), Connection(closed, "second")
    keep_alive.add(first)
    keep_alive.add(second)
    keep_alive.discard(first)
    keep_alive.add(first)
    await until_closed(closed, 2)
    assert closed == ["second", "first"]


async def test_a_connection_with_a_request_is_not_closed() -> None:
    closed: list[str] = []
    keep_alive = KeepAlive(0.05)
    busy = Connection(closed, "busy")
    keep_alive.add(busy)
    keep_alive.discard(busy)
    keep_alive.add(Connection(closed, "idle"))
    await until_closed(closed, 1)
    assert closed == ["idle"]


async def test_one_that_becomes_idle_later_has_its_whole_time() -> None:
    closed: list[str] = []
    keep_alive = KeepAlive(0.2)
    keep_alive.add(Connection(closed, "first"))
    began = asyncio.get_running_loop().time()
    await until_closed(closed, 1)
    keep_alive.add(Connection(closed, "second"))
    await until_closed(closed, 2)
    assert asyncio.get_running_loop().time() - began >= 0.4
