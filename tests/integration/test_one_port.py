"""gRPC at the address of JSON: the same service, for clients over HTTP/2 and HTTP/1.1."""

import errno
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from server import listeners
from server.app import Started
from tests.support.composition import running
from tests.support.tables import cases
from zitadel import management_pb2 as pb
from zitadel.management_pb2_grpc import ManagementServiceStub

DEADLINE_S = 20
NO_SOCKETS = "gRPC is served at its own address alone"


@pytest.fixture(autouse=True)
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The temporary folder, with a path that is short enough for sockets."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def token_of(started: Started) -> str:
    assert started.owner is not None
    return started.owner.token


async def list_actions(address: str, token: str) -> grpc.aio.UnaryUnaryCall[Any, Any]:
    """Makes one call, on a connection of its own."""
    alone = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(address, options=alone) as channel:
        stub: Any = ManagementServiceStub(channel)
        metadata = (("authorization", f"Bearer {token}"),)
        call: grpc.aio.UnaryUnaryCall[Any, Any] = stub.ListActions(
            pb.ListActionsRequest(), metadata=metadata, timeout=DEADLINE_S
        )
        assert await call.code() is grpc.StatusCode.OK
        return call


@cases("grpc_listen", {"beside its own": "127.0.0.1:0", "alone": "none"})
async def test_grpc_is_served_at_the_address_of_json(tmp_path: Path, grpc_listen: str) -> None:
    async with running(tmp_path, grpc_listen=grpc_listen) as started:
        assert (started.grpc_listen == started.listen) == (grpc_listen == "none")
        for address in (started.listen, started.grpc_listen):
            await list_actions(address, token_of(started))


async def test_the_access_log_has_the_address_of_the_client(tmp_path: Path) -> None:
    async with running(tmp_path, access_log=True) as started:
        with capture_logs() as lines:
            for address in (started.grpc_listen, started.listen, started.listen):
                await list_actions(address, token_of(started))
    peers = [line["peer"] for line in lines if line["event"] == "call"]
    assert len({*peers}) == len(peers) == 3
    assert all(peer.startswith("ipv4:127.0.0.1:") for peer in peers)


def modes(folder: Path) -> list[int]:
    """Returns the modes of sockets, each behind that of its folder."""
    return [
        stat.S_IMODE(path.stat().st_mode)
        for socket in folder.glob("*/*.sock")
        for path in (socket.parent, socket)
    ]


async def test_the_socket_is_for_this_user_alone_and_removed_at_the_end(
    tmp_path: Path, temporary: Path
) -> None:
    async with running(tmp_path):
        assert modes(temporary) == [0o700, 0o600]
    assert os.listdir(temporary) == []  # noqa: PTH208  names are enough


def no_room(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@cases(
    "is_full, folder, why",
    {
        "no room": (True, "", "[Nn]o space left on device"),
        "a long path": (False, "x" * 100, "expected a path of 1 to 107 bytes behind unix:"),
    },
)
async def test_without_a_socket_grpc_is_served_at_its_own_address(
    *,
    tmp_path: Path,
    temporary: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_full: bool,
    folder: str,
    why: str,
) -> None:
    (temporary / folder).mkdir(exist_ok=True)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / folder))
    if is_full:
        monkeypatch.setattr(listeners, "SocketFolder", no_room)
    with capture_logs() as lines:
        async with running(tmp_path) as started:
            await list_actions(started.grpc_listen, token_of(started))
    (line,) = (line for line in lines if line["event"] == NO_SOCKETS)
    assert re.search(why, line["reason"])
    with pytest.raises(OSError, match=f"gRPC needs a socket in the temporary folder: .*{why}"):
        async with running(tmp_path, grpc_listen="none"):
            pass
