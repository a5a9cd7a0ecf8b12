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

from tests.robustness.raw import Client, request
from tests.robustness.scenario import Outcome, Scenario
from tests.support.processes import Process
from tests.support.real_server import RealServer

BODY_BYTES: Final = 100 << 20
AT_ONCE: Final = 20
MIB_EACH: Final = 8
CLOSED_WITHIN_S: Final = 10.0
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
    """Returns how much the process's memory rose above its size before the work."""
    Path(f"/proc/{process.pid}/clear_refs").write_text("5", encoding="ascii")
    before = process.resident_mib()
    work()
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert peak is not None, status
    return max(int(peak[1]) / 1024 - before, 0.0)


class Sending(asyncio.Protocol):
    """Sends a head and then pieces, 100 MB of them, for as long as they are taken.

    Attributes:
        answer: what came back.
        sent: octets of the body that were taken.
        closed: set once the connection is gone, or all is sent and answered.
    """

    def __init__(self, octets: bytes, piece: bytes) -> None:
        self.answer = b""
        self.sent = 0
        self.closed = asyncio.Event()
        self._octets = octets
        self._piece = piece
        self._transport: asyncio.Transport | None = None
        self._is_paused = False

    @property
    def status(self) -> str:
        return self.answer[9:12].decode("latin-1") or "no answer"

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP
        self._transport = transport
        transport.write(self._octets)
        asyncio.get_running_loop().call_soon(self._send)

    def data_received(self, data: bytes) -> None:
        self.answer += data

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _send(self) -> None:
        # One piece a turn, so that an answer is seen between them.
        if self._transport is None or self._is_paused or self.closed.is_set():
            return
        if self.sent >= BODY_BYTES:
            return
        self._transport.write(self._piece)
        self.sent += len(self._piece)
        if not self._is_paused:
            asyncio.get_running_loop().call_soon(self._send)


async def send_at_once(address: str, octets: bytes, piece: bytes, count: int) -> list[Sending]:
    """So many clients; returns them once each was hung up on.

    Raises:
        TimeoutError: one was not.
    """
    host, _, port = address.rpartition(":")
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Sending(octets, piece), host, int(port))
        for _ in range(count)
    ]
    clients = [client for _, client in made]
    try:
        async with asyncio.timeout(CLOSED_WITHIN_S):
            for client in clients:
                await client.closed.wait()
    finally:
        for client in clients:
            client.close()
    return clients


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
                clients: list[Sending] = []

                def send(
                    octets: bytes = octets,
                    piece: bytes = piece,
                    count: int = count,
                    clients: list[Sending] = clients,
                ) -> None:
                    clients += uvloop.run(send_at_once(server.http, octets, piece, count))

                grown = peak_growth_mib(server.process, send)
                statuses = {client.status for client in clients}
                most_mib = max(client.sent for client in clients) / 2**20
                yield Outcome(
                    f"{count} x 100 MB {how}",
                    f"413, ≤ +{MIB_EACH * count} MiB",
                    f"{', '.join(sorted(statuses))}, +{grown:.1f} MiB"
                    f" (at most {most_mib:.1f} MiB taken)",
                    statuses == {"413"} and grown <= MIB_EACH * count,
                )


R16: Final = Scenario("R16", "bodies of 100 MB", large_bodies)
