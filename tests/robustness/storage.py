"""Storage that is taken away, damaged or full: D1 to D3 of docs/robustness.md, on the real server.

What matters is the moment after: nothing is acknowledged that nobody will find, and whoever starts
the service is told what is wrong before it serves.
"""

import asyncio
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from typing import Final

import uvloop

from tests.robustness.connection import Connection
from tests.robustness.raw import exchange, request
from tests.robustness.scenario import Outcome, Scenario
from tests.support.processes import ROOT
from tests.support.real_server import ACTIONS, RealServer

WRITERS: Final = 8
WRITE_FOR_S: Final = 0.5
NOTICED_MAX_S: Final = 2.0
REFUSED_MAX_S: Final = 10.0
NOTED_MAX_S: Final = 10.0
READY: Final = request("GET", "/readyz")


def moved(data: Path) -> None:
    data.rename(data.with_name(f"{data.name}-moved"))


def removed(data: Path) -> None:
    shutil.rmtree(data)


def database_removed(data: Path) -> None:
    (data / "events.sqlite").unlink()


def database_replaced(data: Path) -> None:
    shutil.copy(data / "events.sqlite", data / "copy")
    (data / "copy").rename(data / "events.sqlite")


def lock_removed(data: Path) -> None:
    (data / "lock").unlink()


WAYS: Final = {
    "the folder is moved": moved,
    "the folder is removed": removed,
    "the database is removed": database_removed,
    "the database is replaced by a copy": database_replaced,
    "the lock is removed": lock_removed,
}


class Writers:
    """Make actions until the test ends, and note when each answer came.

    Attributes:
        acknowledged: times of 200, by time.monotonic().
        refused: times of 503.
        other: statuses that are neither.
    """

    def __init__(self) -> None:
        self.acknowledged: list[float] = []
        self.refused: list[float] = []
        self.other: list[int] = []
        self._names = count()

    async def write(self, server: RealServer) -> None:
        async with Connection(server.http, server.token) as connection:
            while True:
                body = b'{"name":"a%d","script":"s"}' % next(self._names)
                begun = time.monotonic()
                status, _ = await connection.ask("POST", ACTIONS, body)
                if status == 200:
                    self.acknowledged.append(begun)
                elif status == 503:
                    self.refused.append(begun)
                    await asyncio.sleep(0.01)
                else:
                    self.other.append(status)


async def take_away(
    server: RealServer, way: Callable[[Path], None], writers: Writers
) -> tuple[float, float | None]:
    """Returns when it was done, and how long it took until /readyz was 503."""
    tasks = [asyncio.create_task(writers.write(server)) for _ in range(WRITERS)]
    await asyncio.sleep(WRITE_FOR_S)
    way(server.data)
    gone_at = time.monotonic()
    not_ready_s = None
    while not_ready_s is None and time.monotonic() - gone_at < 2 * NOTICED_MAX_S:
        answer = await asyncio.to_thread(exchange, server.http, READY)
        if answer is not None and answer.status == 503:
            not_ready_s = time.monotonic() - gone_at
        await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks)
    return gone_at, not_ready_s


def folder_taken_away(folder: Path) -> Iterator[Outcome]:
    for number, (what, way) in enumerate(WAYS.items()):
        writers = Writers()
        with RealServer(folder / f"data{number}") as server:
            gone_at, not_ready_s = uvloop.run(take_away(server, way, writers))
            log = server.log()
        late = sum(begun > gone_at for begun in writers.acknowledged)
        yield Outcome(
            f"{what}: writes acknowledged that began afterwards",
            f"0 of {WRITERS} writers'",
            f"{late}, {len(writers.refused)} refused, {len(writers.acknowledged)} before",
            late == 0 and bool(writers.refused and writers.acknowledged) and not writers.other,
        )
        is_noticed = not_ready_s is not None and not_ready_s <= NOTICED_MAX_S
        yield Outcome(
            f"{what}: /readyz is 503, and the log names the file",
            f"≤ {NOTICED_MAX_S:g} s",
            f"{not_ready_s} s" if not_ready_s is None else f"{not_ready_s:.1f} s",
            is_noticed and "storage is unavailable" in log and "while in use" in log,
        )


def log_removed(data: Path) -> None:
    for suffix in ("wal", "shm"):
        (data / f"events.sqlite-{suffix}").unlink()


def log_garbled(data: Path) -> None:
    with (data / "events.sqlite-wal").open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 64)


def truncated(data: Path) -> None:
    database = data / "events.sqlite"
    log_removed(data)
    with database.open("r+b") as file:
        file.truncate(database.stat().st_size // 8192 * 4096)


def emptied(data: Path) -> None:
    log_removed(data)
    (data / "events.sqlite").write_bytes(b"")


def page_garbled(data: Path) -> None:
    database = data / "events.sqlite"
    log_removed(data)
    with database.open("r+b") as file:
        file.seek(database.stat().st_size // 8192 * 4096)
        file.write(b"\xff" * 4096)


DAMAGE: Final = {
    "the log is removed": log_removed,
    "the log is garbled": log_garbled,
    "the database is truncated": truncated,
    "the database is emptied": emptied,
    "a page is garbled": page_garbled,
}


def killed_with_data(data: Path) -> None:
    """Leave what a process leaves that is killed a moment after its last write.

    The last hundred events are in the log alone.
    """
    with RealServer(data) as server:
        for number in range(300):
            if number == 200:
                with closing(sqlite3.connect(data / "events.sqlite")) as database:
                    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            server.new_action(f"action {number}")
        _wait_until_noted(data)
        server.process.kill()


def _wait_until_noted(data: Path) -> None:
    """Waits until the position of the last event is noted, which happens once a second."""
    with closing(sqlite3.connect(data / "events.sqlite")) as database:
        (last,) = database.execute("SELECT max(position) FROM events").fetchone()
    deadline = time.monotonic() + NOTED_MAX_S
    noted = data / "last-position"
    while not noted.exists() or noted.read_text("ascii") != f"{last}\n":
        assert time.monotonic() < deadline, last
        time.sleep(0.05)


def serve(data: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Start the service, which is to end by itself."""
    addresses = ("--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0")
    command = [sys.executable, "-m", "server", "serve", *addresses, "--data-dir", str(data)]
    return subprocess.run(
        [*command, *options],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=REFUSED_MAX_S,
        check=False,
    )


def damaged(folder: Path) -> Iterator[Outcome]:
    whole = folder / "whole"
    killed_with_data(whole)
    for number, (what, damage) in enumerate(DAMAGE.items()):
        data = folder / str(number)
        shutil.copytree(whole, data, ignore=shutil.ignore_patterns("*.sock"))
        token = (data / "owner.token").read_bytes()
        damage(data)
        ended = serve(data)
        lines = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
        is_told = ended.returncode == 1 and len(lines) == 1 and "Traceback" not in ended.stderr
        yield Outcome(
            f"{what}: refused at start in one line; the owner's token is untouched",
            "exit 1",
            f"exit {ended.returncode}: {lines[0][:120] if lines else ended.stderr[-120:]}",
            is_told and (data / "owner.token").read_bytes() == token,
        )
    yield from _accepted(folder, whole)


def _accepted(folder: Path, whole: Path) -> Iterator[Outcome]:
    data = folder / "accepted"
    shutil.copytree(whole, data, ignore=shutil.ignore_patterns("*.sock"))
    log_removed(data)
    with RealServer(data, "--accept-loss") as server:
        status = server.process.stop()
        is_logged = "going on without events that were written" in server.log()
    yield Outcome(
        "--accept-loss serves what there is, says what is missing, and ends with 0 at a signal",
        f"exit 0 at {signal.SIGTERM.name}",
        f"exit {status}",
        status == 0 and is_logged,
    )


D1: Final = Scenario("D1", "the data folder taken away while writers write", folder_taken_away)
D2: Final = Scenario("D2", "a damaged database at start", damaged)


def without_room(folder: Path) -> Iterator[Outcome]:
    """A file that may not grow fails as one on a full disk does, for this process alone."""
    with RealServer(folder / "data") as server:
        action = server.new_action("before")
        pid = server.process.pid
        log_bytes = (server.data / "events.sqlite-wal").stat().st_size
        limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (log_bytes, limits[1]))
        writes = [_status(server, "POST", ACTIONS, b'{"name":"a","script":"s"}') for _ in range(20)]
        reads = [_status(server, "GET", f"{ACTIONS}/{action}") for _ in range(20)]
        readiness = _status(server, "GET", "/readyz")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
        after = _status(server, "POST", ACTIONS, b'{"name":"after","script":"s"}')
        found = server.ask("POST", f"{ACTIONS}/_search", {})["result"]
    names = sorted(item["name"] for item in found)
    yield Outcome(
        "no room: writes are UNAVAILABLE, reads go on, /readyz stays 200",
        "503, 200, 200",
        f"{sorted(set(writes))}, {sorted(set(reads))}, {readiness}",
        (set(writes), set(reads), readiness) == ({503}, {200}, 200),
    )
    yield Outcome(
        "room again: writes succeed, and no refused one is there",
        "200; after, before",
        f"{after}; {', '.join(names)}",
        after == 200 and names == ["after", "before"],
    )


def _status(server: RealServer, verb: str, path: str, body: bytes = b"") -> int:
    answer = exchange(server.http, request(verb, path, body, token=server.token))
    return 0 if answer is None else answer.status


D3: Final = Scenario("D3", "a disk without room, and with room again", without_room)
