"""Connections of a port are listed and ended, also after the system let none be looked at."""

import asyncio
import errno
import socket
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


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_connections_of_a_port_are_listed_by_the_peers_that_can_be_ended(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.create_server((host, 0), family=family) as ours,
        socket.create_server((host, 0), family=family) as another,
        socket.create_connection(ours.getsockname()[:2], timeout=WAIT_S) as client,
        socket.create_connection(another.getsockname()[:2]),
        ours.accept()[0],
        another.accept()[0],
    ):
        port = ours.getsockname()[1]
        client.sendall(b"abc")
        (found,) = connections.open_connections(port, more_than=0)
        assert 0 <= found.idle_s < WAIT_S
        assert found.received_bytes == 3
        assert connections.end_connections(port, [found.peer]) == 1
        assert client.recv(1) == b""


def test_connections_are_not_looked_for_while_few_descriptors_are_open() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0],
    ):
        port = listener.getsockname()[1]
        assert connections.open_connections(port, more_than=100_000) == []
