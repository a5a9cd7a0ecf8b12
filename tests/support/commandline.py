"""The command line as an operator has it: real processes, in a folder of the test's own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from tests.support.processes import Process

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
    *arguments: str, folder: Path, environment: Mapping[str, str] | None = None, stdin: str = ""
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


class Server(Process):
    """`python -m server serve` on free ports, in the folder; killed if it outlives its block."""

    def __init__(
        self,
        *arguments: str,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        is_read: bool = True,
        has_terminal: bool = False,
    ) -> None:
        """Starts it.

        Args:
            arguments: of `serve`.
            folder: its working folder.
            environment: more variables.
            is_read: False closes the reading end of its standard output.
            has_terminal: True if its standard output is a terminal.
        """
        self._log = (folder / "log.txt").open("ab")
        super().__init__(
            ["-m", "server", "serve", *_FREE_PORTS, *arguments],
            environment=environment,
            errors=self._log,
            folder=folder,
            has_terminal=has_terminal,
        )
        self.folder = folder
        self._is_read = is_read

    def __enter__(self) -> Self:
        """Waits until it serves; not if nobody reads what it prints."""
        if not self._is_read:
            assert self.output is not None
            self.output.close()
            return self
        try:
            line = self.line().removeprefix("JSON and gRPC-Web  ")
            self.listen = line.partition("://")[2].rstrip()
            self.grpc_listen = self.line().removeprefix("gRPC ").strip()
            self.openapi = self.line().removeprefix("OpenAPI ").strip()
            self.docs = self.line().removeprefix("docs, try it ").strip()
            assert self.listen, self.log()
        except BaseException:  # also a test that is out of time
            self.close()
            raise
        return self

    def close(self) -> None:
        super().close()
        self._log.close()

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

    def stop(self) -> int:
        """Ends it by SIGTERM, as a server that ends well.

        Raises:
            AssertionError: its exit status is not 0.
        """
        status = super().stop()
        assert status == 0, self.log()
        return status

    def wait(self, timeout_s: float = TIMEOUT_S) -> int:
        return super().wait(timeout_s)

    def call(self, method: str, message: object, protocol: str, *arguments: str) -> Outcome:
        """Calls a method over a protocol, as the owner unless the arguments say otherwise."""
        address = self.grpc_listen if protocol == "grpc" else self.listen
        options = ("--protocol", protocol, "--address", address, *arguments)
        return run("call", method, json.dumps(message), *options, folder=self.folder)
