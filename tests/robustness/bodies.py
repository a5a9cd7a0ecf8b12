"""Bodies that are too large: R16 of docs/robustness.md.

What a client declares is refused before it is read; what it does not declare, as soon as it is too
much. Memory is the process's peak, which the kernel keeps (proc(5), clear_refs and VmHWM).
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import uvloop

from tests.processes import Process
from tests.real_server import RealServer
from tests.robustness.raw import Client, request
from tests.robustness.scenario import Outcome, Scenario

BODY_BYTES: Final = 100 << 20
AT_ONCE: Final = 20
MIB_EACH: Final = 8
_PIECE: Final = b"[1,2,3]," * 8192  # 64 KiB
_CHUNK: Final = b"%x\r\n%s\r\n" % (len(_PIECE), _PIECE)


def head(token: str, *, is_chunked: bool) -> bytes:
    """The head of a request whose body is too large."""
    framing = (
        {"Transfer-Encoding": "chunked"} if is_chunked else {"Content-Length": str(BODY_BYTES)}
    )
    headers = {"Content-Type": "application/json", **framing}
    return request("POST", "/management/v1/actions", token=token, headers=headers)


def peak_growth_mib(process: Process, work: Callable[[], None]) -> float:
    """How far the process's memory rose above what it held before the work."""
    Path(f"/proc/{process.pid}/clear_refs").write_text("5", encoding="ascii")
    before = process.resident_mib()
    work()
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert peak is not None, status
    return max(int(peak[1]) / 1024 - before, 0.0)


async def send_until_refused(address: str, octets: bytes, piece: bytes) -> tuple[int, int]:
    """Send a head and then pieces, 100 MB of them, for as long as they are taken.

    Returns:
        The status answered, 0 if there was none, and how many octets of the body were taken.
    """
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(octets)
    sent = 0
    try:
        while sent < BODY_BYTES:
            writer.write(piece)
            await writer.drain()
            sent += len(piece)
    except (BrokenPipeError, ConnectionResetError):
        pass
    try:
        async with asyncio.timeout(10):
            answer = await reader.read(4096)
    except ConnectionResetError:
        answer = b""
    finally:
        writer.transport.abort()
    return int(answer[9:12] or b"0"), sent


def large_bodies(folder: Path) -> Iterator[Outcome]:
    with RealServer(folder / "data") as server:
        declared = head(server.token, is_chunked=False)
        chunked = head(server.token, is_chunked=True)

        with Client(server.http) as client:
            started_at = time.monotonic()
            client.send(declared)
            answer = client.answer()
            waited_ms = (time.monotonic() - started_at) * 1e3
        status = answer.status if answer is not None else 0
        yield Outcome(
            "100 MB declared, none of it sent",
            "413 at once",
            f"{status} after {waited_ms:.0f} ms",
            status == 413 and waited_ms <= 1000,
        )
        for how, octets, piece in (
            ("by Content-Length", declared, _PIECE),
            ("chunked", chunked, _CHUNK),
        ):
            for count in (1, AT_ONCE):
                results: list[tuple[int, int]] = []

                async def all_at_once(
                    octets: bytes = octets,
                    piece: bytes = piece,
                    count: int = count,
                    results: list[tuple[int, int]] = results,
                ) -> None:
                    results += await asyncio.gather(
                        *(send_until_refused(server.http, octets, piece) for _ in range(count))
                    )

                grown = peak_growth_mib(server.process, lambda: uvloop.run(all_at_once()))
                answered = sorted({status for status, _ in results})
                most_mib = max(sent for _, sent in results) / 2**20
                yield Outcome(
                    f"{count} x 100 MB {how}",
                    f"413, ≤ +{MIB_EACH * count} MiB",
                    f"{', '.join(map(str, answered))}, +{grown:.1f} MiB"
                    f" (at most {most_mib:.1f} MiB taken)",
                    answered == [413] and grown <= MIB_EACH * count,
                )


R16: Final = Scenario("R16", "bodies of 100 MB", large_bodies)
