"""Processes that tests start: on a core of their own if need be, ended by their own id.

Knows a process from outside: its CPU, its memory, what it prints.

Follows clock_getcpuclockid(3) and proc(5): Linux only, as pinning is.
Rule: nothing is ended that was not started here.
"""

import contextlib
import os
import re
import subprocess
import sys
import time
import tty
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self, TextIO

ROOT: Final = Path(__file__).parents[2]
STOP_S: Final = 20.0
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")

Cores = frozenset[int]


def two_cores() -> tuple[Cores, Cores]:
    """One core for a server, one for its client; the same one where there is no second."""
    allowed = sorted(os.sched_getaffinity(0))
    return frozenset(allowed[:1]), frozenset(allowed[1:2] or allowed[:1])


@contextlib.contextmanager
def pinned(cores: Cores | None) -> Iterator[None]:
    """Keep this thread on the cores for a while; what it starts meanwhile stays there."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, before if cores is None else cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def open_descriptors() -> int:
    """The number that this process has open."""
    return len(os.listdir("/dev/fd"))  # noqa: PTH208  no paths are wanted, only their count


class Process:
    """A program that runs beside the test, and is killed if it outlives its block."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        program: str = sys.executable,
        cores: Cores | None = None,
        environment: Mapping[str, str] | None = None,
        errors: IO[bytes] | None = None,
        folder: Path = ROOT,
        has_terminal: bool = False,
    ) -> None:
        """Starts it.

        Args:
            arguments: of the program: ("-m", "server", "serve").
            program: what is started; Python, unless said.
            cores: where it stays; None leaves that to the system.
            environment: more variables.
            errors: where its standard error goes; None leaves it on this one's.
            folder: its working folder; the project's, unless said.
            has_terminal: True if its standard output is a terminal.
        """
        output, terminal = _terminal() if has_terminal else (None, subprocess.PIPE)
        with pinned(cores):
            self._popen = subprocess.Popen(
                [program, *arguments],
                cwd=folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=terminal,
                stderr=errors,
                encoding="utf-8",
            )
        if output is not None:
            os.close(terminal)
        self.output = output or self._popen.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it, if it has not ended."""
        if self._popen.poll() is None:
            self._popen.kill()
        self._popen.wait()
        if self.output is not None:
            self.output.close()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def is_running(self) -> bool:
        return self._popen.poll() is None

    def line(self) -> str:
        """The next line that it prints; empty once it has ended."""
        assert self.output is not None
        try:
            return self.output.readline()
        except OSError:  # what Linux says of a terminal that no process holds any more
            return ""

    def signal(self, number: int) -> None:
        self._popen.send_signal(number)

    def wait(self, timeout_s: float = STOP_S) -> int:
        """Its exit status.

        Raises:
            subprocess.TimeoutExpired: it goes on.
        """
        return self._popen.wait(timeout_s)

    def stop(self) -> int:
        """Ask it to end, and wait."""
        self._popen.terminate()
        return self.wait()

    def kill(self) -> None:
        """End it where it stands: kill -9."""
        self._popen.kill()
        self._popen.wait()

    def cpu_seconds(self) -> float:
        """CPU time so far, to the nanosecond: of all threads, ended ones too."""
        return cpu_seconds_of(self.pid)

    def children(self) -> list[int]:
        """The ids of the processes that it started, and that are there."""
        return children_of(self.pid)

    def memory_mib(self) -> float:
        """Returns its memory, with libraries, and that of its children without shared parts."""
        kib = 0
        for pid in self.children():
            with contextlib.suppress(OSError):  # it has ended
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
                kib += sum(map(int, re.findall(r"^Private_\w+: +(\d+)", rollup, re.MULTILINE)))
        return self.resident_mib() + kib / 1024

    def resident_mib(self) -> float:
        """Memory that it holds, libraries among it."""
        pages = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * _PAGE_BYTES / 2**20


def _terminal() -> tuple[TextIO, int]:
    """Returns the reading end of a new pseudo-terminal, and the terminal's descriptor."""
    reading, terminal = os.openpty()
    tty.setraw(terminal)
    return os.fdopen(reading, encoding="utf-8"), terminal


def cpu_seconds_of(pid: int) -> float:
    """Returns the CPU time of a process so far: of all its threads, ended ones too."""
    # What clock_getcpuclockid(3) gives for a process: its id inverted, and CPUCLOCK_SCHED.
    return time.clock_gettime(~pid << 3 | 2)


def children_of(pid: int) -> list[int]:
    """The ids of the processes that it started, and that are there."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(_stat(path)[1]) == pid:
                found.append(int(path.parent.name))
    return found


def is_running(pid: int) -> bool:
    """True if the process is running or ready to run."""
    try:
        return _stat(Path(f"/proc/{pid}/stat"))[0] == "R"
    except OSError:
        return False


def _stat(path: Path) -> list[str]:
    """Returns the fields of a process's stat behind its name: state, parent, ... (proc(5))."""
    return path.read_text(encoding="utf-8", errors="replace").rpartition(") ")[2].split()
