"""The command line as an operator has it: real processes, in a folder of the test's own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

TIMEOUT_S: Final = 60.0
"""A hang, and not a machine that has more to do."""
_FREE_PORTS: Final = ("--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

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
    ) -> None:
        self._log = (folder / "log.txt").open("ab")
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "server", "serve", *_FREE_PORTS, *arguments],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            encoding="utf-8",
        )
        self.folder = folder
        self._is_read = is_read

    def __enter__(self) -> Self:
        """Wait until it serves; not if nobody reads what it prints."""
        if not self._is_read:
            assert self._popen.stdout is not None
            self._popen.stdout.close()
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
        assert self._popen.stdout is not None
        self._popen.stdout.close()

    @property
    def pid(self) -> int:
        return self._popen.pid

    def line(self) -> str:
        """The next line that it prints; empty once it has ended."""
        assert self._popen.stdout is not None
        return self._popen.stdout.readline()

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

    def wait(self, timeout_s: float = TIMEOUT_S) -> int:
        """Its exit status.

        Raises:
            subprocess.TimeoutExpired: it goes on.
        """
        return self._popen.wait(timeout_s)

    def call(self, method: str, message: object, door: str, *arguments: str) -> Outcome:
        """Call a method of it through a door, as the owner unless the arguments say otherwise."""
        address = self.grpc_listen if door == "grpc" else self.listen
        options = ("--door", door, "--address", address, *arguments)
        return run("call", method, json.dumps(message), *options, folder=self.folder)
