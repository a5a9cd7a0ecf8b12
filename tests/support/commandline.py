"""The command line as an operator has it: real processes, in a folder of the test's own."""

import json
import os
import signal
import subprocess
import sys
import tty
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self, TextIO

TIMEOUT_S: Final = 60.0
"""A hang, and not a machine that has more to do."""
_FREE_PORTS: Final = ("--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a command."""

    status: int
    out: str
    err: str


def run(
    *arguments: str,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
) -> Outcome:
    """Run `python -m server` with the arguments, in the folder, to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "server", *arguments],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",  # bytes that are no UTF-8, both ways
        timeout=TIMEOUT_S,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


class Server:
    """`python -m server serve` on free ports, in the folder; killed if it outlives its block."""

    def __init__(
        self,
        *arguments: str,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        is_read: bool = True,
        has_terminal: bool = False,
    ) -> None:
        """Start it.

        Args:
            arguments: of `serve`.
            folder: its working folder.
            environment: more variables.
            is_read: False closes the reading end of its standard output.
            has_terminal: True if its standard output is a terminal.
        """
        output, terminal = _terminal() if has_terminal else (None, subprocess.PIPE)
        self._log = (folder / "log.txt").open("ab")
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "server", "serve", *_FREE_PORTS, *arguments],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=terminal,
            stderr=self._log,
            encoding="utf-8",
        )
        if output is not None:
            os.close(terminal)
        self._output = output or self._popen.stdout
        self.folder = folder
        self._is_read = is_read

    def __enter__(self) -> Self:
        """Wait until it serves; not if nobody reads what it prints."""
        if not self._is_read:
            assert self._output is not None
            self._output.close()
            return self
        self.listen = self.line().removeprefix("JSON and gRPC-Web  http://").rstrip()
        self.grpc_listen = self.line().removeprefix("gRPC ").strip()
        assert self.listen, self.log()
        return self

    def __exit__(self, *_: object) -> None:
        if self._popen.poll() is None:
            self._popen.kill()
        self._popen.wait()
        self._log.close()
        assert self._output is not None
        self._output.close()

    @property
    def pid(self) -> int:
        return self._popen.pid

    def line(self) -> str:
        """The next line that it prints; empty once it has ended."""
        assert self._output is not None
        try:
            return self._output.readline()
        except OSError:  # what Linux says of a terminal that no process holds any more
            return ""

    def lines_to(self, start: str) -> list[str]:
        """The next lines, up to and with the one that starts so."""
        lines = []
        while line := self.line():
            lines.append(line.rstrip("\n"))
            if line.startswith(start):
                break
        return lines

    def log(self) -> str:
        return (self.folder / "log.txt").read_text("utf-8")

    def signal(self, number: int) -> None:
        self._popen.send_signal(number)

    def stop(self) -> None:
        """Ends it by SIGTERM, as a server that ends well.

        Raises:
            AssertionError: its exit status is not 0.
        """
        self.signal(signal.SIGTERM)
        assert self.wait() == 0, self.log()

    def wait(self, timeout_s: float = TIMEOUT_S) -> int:
        """Its exit status.

        Raises:
            subprocess.TimeoutExpired: it goes on.
        """
        return self._popen.wait(timeout_s)

    def call(self, method: str, message: object, protocol: str, *arguments: str) -> Outcome:
        """Calls a method over a protocol, as the owner unless the arguments say otherwise."""
        address = self.grpc_listen if protocol == "grpc" else self.listen
        options = ("--protocol", protocol, "--address", address, *arguments)
        return run("call", method, json.dumps(message), *options, folder=self.folder)


def _terminal() -> tuple[TextIO, int]:
    """Returns the reading end of a new pseudo-terminal, and the terminal's descriptor."""
    reading, terminal = os.openpty()
    tty.setraw(terminal)
    return os.fdopen(reading, encoding="utf-8"), terminal
