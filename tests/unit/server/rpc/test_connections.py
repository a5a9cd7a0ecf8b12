"""ConnectionEnder connections: what happens when the system lets none be looked at."""

import asyncio
import errno
from collections.abc import Collection

import pytest
from structlog.testing import capture_logs

from server.rpc import connections
from server.rpc.connections import ConnectionEnder

WAIT_S = 10


async def test_connections_that_cannot_be_ended_are_logged_and_later_ones_are_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[set[str]] = []

    def end_connections(_at: int, peers: Collection[str]) -> int:
        ended.append({*peers})
        if peers == {"ipv4:127.0.0.1:1"}:
            raise OSError(errno.EMFILE, "Too many open files")
        return len(peers)

    monkeypatch.setattr(connections, "end_connections", end_connections)
    ending = ConnectionEnder()
    with capture_logs() as captured:
        for number in (1, 2):
            ending.end((f"ipv4:127.0.0.1:{number}",))
            async with asyncio.timeout(WAIT_S):
                while len(ended) < number:
                    await asyncio.sleep(0.001)
    ending.close()
    assert ended == [{"ipv4:127.0.0.1:1"}, {"ipv4:127.0.0.1:2"}]
    assert captured == [
        {
            "event": "connections cannot be ended",
            "log_level": "warning",
            "peers": 1,
            "reason": "[Errno 24] Too many open files",
        }
    ]
