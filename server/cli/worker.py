"""Runs one of the processes that share the addresses; the supervisor starts it.

Its job comes by standard input, which stays open as long as the supervisor lives: at its end, the
worker drains and ends. It tells that it serves by a byte on a pipe.
"""

import os
import pickle
import signal
import socket
import sys
import threading
from dataclasses import dataclass
from functools import partial
from typing import Final

import click

from server.cli.failures import run_command
from server.config import Config
from server.store.engine import AS_USUAL

_READY: Final = b"1"


@dataclass(frozen=True, slots=True)
class Job:
    """Says what a worker serves.

    Attributes:
        number: of the worker, from 1.
        config: its settings; the addresses are bound by the supervisor, too.
        ready: the descriptor on which it tells that it serves.
        welcomes: True if it prints what to try.
        figures: the descriptor of the socket on which it gives its metrics, if there are any.
    """

    number: int
    config: Config
    ready: int
    welcomes: bool
    figures: int


@click.command()
def worker() -> None:
    """Serve until a signal, or the end of the supervisor."""
    job: Job = pickle.load(sys.stdin.buffer)  # noqa: S301  our own process has written it
    threading.Thread(target=_end_with_supervisor, daemon=True).start()
    from server.cli.foreground import Role, run_service

    figures = socket.socket(fileno=job.figures)
    role = Role(job.number, job.welcomes, partial(_tell, job.ready), figures)
    run_service(job.config, opening=AS_USUAL, role=role)


def _tell(ready: int) -> None:
    os.write(ready, _READY)
    os.close(ready)


def _end_with_supervisor() -> None:
    while sys.stdin.buffer.raw.read(1):  # type: ignore[union-attr]  # unbuffered, so that it ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(run_command(worker, name="worker"))
