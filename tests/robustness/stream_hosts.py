"""Processes of `stream_host`: a transcoder, and what runs its calls; seen from outside."""

import contextlib
import json
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Self

from tests.robustness.stream_forms import Form
from tests.robustness.stream_host import Census
from tests.support.processes import Process

PATIENCE_S: Final = 60.0


class Host:
    """A process of `stream_host`, ended with the block."""

    def __init__(self, kind: str, *options: str, errors: IO[bytes] | None = None) -> None:
        arguments = ["-m", "tests.robustness.stream_host", kind, *options]
        self.process = Process(arguments, errors=errors)
        self.address = self.process.line().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.close()

    def census(self) -> Census:
        self.process.signal(signal.SIGUSR1)
        return Census(**json.loads(self.process.line()))


@dataclass(frozen=True, slots=True)
class Hosts:
    """A transcoder, and what runs its calls: the same process, or a server that it forwards to."""

    front: Host
    back: Host
    log: Path

    def tasks(self) -> int:
        """Returns how many tasks both have now."""
        return sum(host.census().tasks for host in {self.front, self.back})

    def are_over(self) -> bool:
        """True if no handler runs."""
        census = self.back.census()
        return census.begun == census.ended

    def logged(self) -> list[str]:
        """Returns the lines that the transcoder logged."""
        return self.log.read_text(encoding="utf-8").splitlines()


@contextlib.contextmanager
def hosted(folder: Path, *options: str, is_proxy: bool) -> Iterator[Hosts]:
    """Starts the processes; their logs are in files of the folder.

    Args:
        folder: empty, or used before.
        options: of the process of the transcoder.
        is_proxy: True if it forwards calls.
    """
    with contextlib.ExitStack() as stack:

        def log(name: str) -> IO[bytes]:
            return stack.enter_context((folder / f"{name}.log").open("wb"))

        if not is_proxy:
            host = stack.enter_context(Host("transcoder", *options, errors=log("transcoder")))
            yield Hosts(host, host, folder / "transcoder.log")
            return
        # grpc.aio logs an error for each response that a client does not take any more.
        back = stack.enter_context(Host("grpc", errors=log("grpc")))
        options = (*options, "--upstream", back.address)
        front = stack.enter_context(Host("proxy", *options, errors=log("proxy")))
        yield Hosts(front, back, folder / "proxy.log")


def asked(address: str, form: Form, *, timeout_ms: int | None = None) -> socket.socket:
    """Returns a connection on which a call was asked for, and which takes little of its answer.

    Args:
        address: of the transcoder.
        form: of the call.
        timeout_ms: its deadline; None for none.
    """
    host, _, port = address.rpartition(":")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(PATIENCE_S)
    client.connect((host, int(port)))
    client.sendall(form.request(timeout_ms=timeout_ms))
    return client
