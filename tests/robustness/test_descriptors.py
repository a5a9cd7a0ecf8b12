"""The service with few file descriptors, and with none left."""

import asyncio
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc

from tests.robustness.held_calls import Seen, call_well_once
from tests.robustness.raw import Client, exchange, request
from tests.support.processes import ROOT
from tests.support.real_server import ACTIONS, RealServer

HEALTHZ = request("GET", "/healthz")
PATIENCE_S = 15.0
STARTED_WITH = (
    "import os, resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30)); "
    "os.execv(sys.executable, [sys.executable, '-m', 'server', 'serve', *sys.argv[1:]])"
)


def test_thirty_files_are_refused_with_a_line_that_says_what_is_needed(tmp_path: Path) -> None:
    addresses = ("--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0")
    done = subprocess.run(
        [sys.executable, "-c", STARTED_WITH, *addresses, "--data-dir", str(tmp_path / "data")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "this process may have 30 files open, expected at least 256" in done.stderr


@contextmanager
def no_descriptor_left(pid: int) -> Iterator[None]:
    """Lets the process open no more files than it has."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    taken = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}  # noqa: PTH208  of numbers
    free = next(number for number in range(len(taken) + 1) if number not in taken)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def test_callers_who_are_there_are_served_when_no_descriptor_is_left(tmp_path: Path) -> None:
    with RealServer(tmp_path / "data") as server, Client(server.http) as caller:
        seen = asyncio.run(_call_without_descriptors(server, caller))
        assert seen.refused == []
        assert len(seen.good_s) == 3
        until = time.monotonic() + PATIENCE_S
        answer = None
        while answer is None and time.monotonic() < until:
            answer = exchange(server.http, HEALTHZ, timeout_s=PATIENCE_S)
        assert answer is not None
        assert answer.status == 200
        assert asyncio.run(_call(server)).refused == []


async def _call_without_descriptors(server: RealServer, caller: Client) -> Seen:
    seen = Seen()
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        await channel.channel_ready()
        _ask(caller, HEALTHZ)
        with no_descriptor_left(server.process.pid):
            turned_away = [_connect(address) for address in (server.http, server.grpc) * 20]
            used_s = server.process.cpu_seconds()
            for number in range(3):
                body = b'{"name":"a%d","script":"s"}' % number
                _ask(caller, request("POST", ACTIONS, body, token=server.token))
                _ask(caller, HEALTHZ)
                await call_well_once(channel, server.token, seen)
                await asyncio.sleep(0.3)  # what would turn in circles, turns meanwhile
            assert server.process.cpu_seconds() - used_s < 0.5
            for connection in turned_away:
                connection.close()
    return seen


async def _call(server: RealServer) -> Seen:
    seen = Seen()
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        await call_well_once(channel, server.token, seen)
    return seen


def _ask(caller: Client, octets: bytes) -> None:
    caller.send(octets)
    answer = caller.answer()
    assert answer is not None
    assert answer.status == 200, answer


def _connect(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE_S)
