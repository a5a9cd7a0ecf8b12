"""Measures the start of the command `transcoder` in front of a server that it asks by reflection.

Counts the CPU time of its process until /readyz is 200: it has imported its modules, asked the
server, and made all routes. The server runs in a process of its own.
"""

import asyncio
import contextlib
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from typing import IO, Final

from tests.bench.many_methods import file_of_methods
from tests.bench.report import Figure, Spread
from tests.support.processes import ROOT, Cores, cpu_seconds_of, pinned
from tests.support.told_services import Teller, told
from tests.support.waiting import until

METHODS: Final = 1000
MANY_METHODS: Final = 10_000
ASKED_S: Final = 2.0
TIMES: Final = 3
READY_MAX_S: Final = 300.0


def figures(cores: Cores) -> Sequence[Figure]:
    """Starts the command several times before few services, and once before many.

    Args:
        cores: of the command.
    """
    title = "CPU, start with reflection of {:,} methods"
    few = [_cpu_s(METHODS, cores) for _ in range(TIMES)]
    many = [_cpu_s(MANY_METHODS, cores)]
    return [
        Figure(
            name="reflected",
            title=title.format(METHODS),
            unit=" s",
            reached=Spread.of(few),
            asked=ASKED_S,
        ),
        Figure(
            name="reflected-many",
            title=title.format(MANY_METHODS),
            unit=" s",
            reached=Spread.of(many),
        ),
    ]


def _cpu_s(methods: int, cores: Cores) -> float:
    with _process("tests.bench.reflected", str(methods), out=subprocess.PIPE) as server:
        target = _line(server.stdout)
        listen = ("--listen", "127.0.0.1:0")
        with pinned(cores):
            command = _process("transcoder", target, *listen, error=subprocess.PIPE)
        with command as transcoder:
            while "listening on " not in (line := _line(transcoder.stderr)):
                pass
            address = line.rpartition(" ")[2]
            until(lambda: _is_ready(address), within_s=READY_MAX_S)
            return cpu_seconds_of(transcoder.pid)


@contextlib.contextmanager
def _process(
    module: str, *arguments: str, out: int | None = None, error: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Runs a module until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, stdout=out, stderr=error, text=True
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def _line(pipe: IO[str] | None) -> str:
    assert pipe is not None
    line = pipe.readline()
    if not line:
        raise EOFError("a process ended before it was ready")
    return line.strip()


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/readyz") as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        return False


async def _serve(methods: int) -> None:
    """Serves reflection, and prints its address."""
    teller = Teller(told({"many.Things": file_of_methods("many", methods).SerializeToString()}))
    await teller.start()
    sys.stdout.write(f"{teller.target}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
