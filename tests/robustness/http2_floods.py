"""Floods of HTTP/2 frames at the port of JSON, with PostgreSQL behind it: R24 to R26.

Follows RFC 9113: CVE-2023-44487 is R24, CVE-2024-27316 and CVE-2025-8671 are among R25. Memory
is of the service's process, CPU time as well.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
import uvloop

from tests.bench.http2 import PREFACE, frame, header_block
from tests.robustness.engines import postgresql
from tests.robustness.grpc_port import good_callers, p99
from tests.robustness.held_calls import HEALTHZ, Seen
from tests.robustness.scenario import Outcome, Scenario, at_most
from tests.support.connections import opened
from tests.support.real_server import ONE_PORT, RealServer
from zitadel import management_pb2 as pb
from zitadel.management_pb2_grpc import ManagementServiceStub

RESETS: Final = 20_000
RESETS_CPU_MAX_S: Final = 0.5
RESETS_MAX_MIB: Final = 10.0
RESETS_GOOD_P99_S: Final = 0.1
FRAMES: Final = 10_000
FRAMES_GOOD_P99_S: Final = 0.25
FRAMES_MAX_MIB: Final = 10.0
_TAKEN_MAX_S: Final = 10.0
"""Max seconds that the server may leave a flood unread; then the attacker goes."""
_WITHOUT_S: Final = 1.0
_FRAMES_A_PIECE: Final = 100
_ANSWER_S: Final = 20.0
_DATA, _HEADERS, _RST, _SETTINGS, _PING, _WINDOW, _MORE = 0, 1, 3, 4, 6, 8, 9
_END_HEADERS: Final = 4
_CALL: Final = header_block(HEALTHZ)
_CANCEL: Final = (8).to_bytes(4, "big")
_LAST_PING: Final = b"the last"
_LAST: Final = frame(_PING, 0, 0, _LAST_PING)


def _begin(number: int) -> bytes:
    return frame(_HEADERS, _END_HEADERS, 2 * number + 1, _CALL)


def resets(frames: int) -> Iterator[bytes]:
    for number in range(frames):
        yield _begin(number) + frame(_RST, 0, 2 * number + 1, _CANCEL)


def reset_by_server(frames: int) -> Iterator[bytes]:
    """Makes the server reset each call: a window may not grow by 0 (RFC 9113 section 6.9)."""
    for number in range(frames):
        yield _begin(number) + frame(_WINDOW, 0, 2 * number + 1, bytes(4))


def headers_without_end(frames: int) -> Iterator[bytes]:
    yield frame(_HEADERS, 0, 1, b"")
    for _ in range(frames):
        # A literal without indexing (RFC 7541 section 6.2.2).
        yield frame(_MORE, 0, 1, b"\0\x01a\x64" + b"a" * 100)


def pings(frames: int) -> Iterator[bytes]:
    return (frame(_PING, 0, 0, bytes(8)) for _ in range(frames))


def settings(frames: int) -> Iterator[bytes]:
    return (frame(_SETTINGS, 0, 0, b"") for _ in range(frames))


def empty_data(frames: int) -> Iterator[bytes]:
    yield _begin(0)
    for _ in range(frames):
        yield frame(_DATA, 0, 1, b"")


FLOODS: Final = {
    "CONTINUATION without end": headers_without_end,
    "calls that the server resets": reset_by_server,
    "PING": pings,
    "SETTINGS": settings,
    "empty DATA": empty_data,
}


@dataclass(slots=True)
class Flooded:
    """The outcome of a flood.

    Attributes:
        sent: frames that the server took; those of a flood that was cut are fewer.
        cpu_s: of the service, beyond that for others.
        more_mib: memory of the service, more than before.
        others: what other callers saw.
    """

    sent: int
    cpu_s: float
    more_mib: float
    others: Seen

    @property
    def good_s(self) -> list[float]:
        return self.others.good_s + self.others.healthz_s


async def send(address: str, pieces: Sequence[bytes]) -> int:
    """Sends until the server has read all or has enough; returns how many pieces it took."""
    sent = 0
    async with opened(address) as (reader, writer):
        writer.write(PREFACE + frame(_SETTINGS, 0, 0, b""))
        answered = asyncio.create_task(_read_until_last(reader))
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(_TAKEN_MAX_S):
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    sent += 1
                    if answered.done():
                        break
                writer.write(_LAST)
                await answered
        answered.cancel()
        await asyncio.wait((answered,))
        writer.transport.abort()
    return sent


async def _read_until_last(reader: asyncio.StreamReader) -> None:
    """Reads until the last ping is answered, or the connection ends."""
    last = b""
    while data := await reader.read(1 << 16):
        if _LAST_PING in (last := last[-8:] + data):
            return


def _batched(frames: list[bytes]) -> Iterator[list[bytes]]:
    for begin in range(0, len(frames), _FRAMES_A_PIECE):
        yield frames[begin : begin + _FRAMES_A_PIECE]


async def flood(server: RealServer, frames: Iterator[bytes]) -> Flooded:
    process = server.process
    others = Seen()
    # Made before, as others ask on the same event loop.
    all_frames = list(frames)
    pieces = [b"".join(some) for some in _batched(all_frames)]
    async with good_callers(server, others):
        idle_cpu_s = process.cpu_seconds()
        await asyncio.sleep(_WITHOUT_S)
        idle_cpu_s = process.cpu_seconds() - idle_cpu_s
        before_mib, before_cpu_s = process.resident_mib(), process.cpu_seconds()
        began = asyncio.get_running_loop().time()
        sent = await send(server.http, pieces)
        more_mib = process.resident_mib() - before_mib
        await asyncio.sleep(_WITHOUT_S)
        more_mib = max(more_mib, process.resident_mib() - before_mib)
        lasted_s = asyncio.get_running_loop().time() - began
        cpu_s = process.cpu_seconds() - before_cpu_s - idle_cpu_s * lasted_s / _WITHOUT_S
    return Flooded(min(sent * _FRAMES_A_PIECE, len(all_frames)), cpu_s, more_mib, others)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[RealServer]:
    with (
        postgresql() as new_database,
        RealServer(
            folder / "data", "--no-access-log", *ONE_PORT, database=new_database()
        ) as server,
    ):
        yield server


def reset_calls(folder: Path) -> Iterator[Outcome]:
    with served(folder) as server:
        seen = uvloop.run(flood(server, resets(RESETS)))
    what = f"{RESETS:,} calls begun and reset ({seen.sent:,} taken)"
    yield at_most(f"{what}: CPU time", seen.cpu_s, RESETS_CPU_MAX_S, "s")
    yield at_most(f"{what}: more memory", seen.more_mib, RESETS_MAX_MIB, "MiB")
    yield _others(what, seen, RESETS_GOOD_P99_S)


def flood_frames(folder: Path) -> Iterator[Outcome]:
    with served(folder) as server:
        for what, frames in FLOODS.items():
            seen = uvloop.run(flood(server, frames(FRAMES)))
            shown = f"{FRAMES:,} of {what} ({seen.sent:,} taken)"
            yield at_most(f"{shown}: more memory", seen.more_mib, FRAMES_MAX_MIB, "MiB")
            yield _others(shown, seen, FRAMES_GOOD_P99_S)


def _others(what: str, seen: Flooded, most_s: float) -> Outcome:
    refused, good_ms = seen.others.refused, p99(seen.good_s) * 1e3
    return Outcome(
        f"{what}: others",
        f"0 refused, p99 ≤ {most_s * 1e3:.0f} ms",
        f"{len(refused)} refused{''.join(refused[:1])}, p99 {good_ms:.0f} ms, "
        f"{max(seen.good_s) * 1e3:.0f} ms at most",
        not refused and good_ms <= most_s * 1e3,
    )


async def ask_too_much(server: RealServer) -> dict[str, str]:
    """Returns the code of each call that is more than a client may send."""
    metadata = (("authorization", f"Bearer {server.token}"),)
    async with grpc.aio.insecure_channel(server.http) as channel:
        stub: Any = ManagementServiceStub(channel)
        big = pb.CreateActionRequest(name="big", script="x" * 5_000_000)
        unknown: Any = channel.unary_unary("/zitadel.management.v1.ManagementService/NoSuchMethod")
        calls = {
            "a message of 5 MB": stub.CreateAction(big, metadata=metadata, timeout=_ANSWER_S),
            "metadata of 20 KB": stub.Healthz(
                pb.HealthzRequest(), metadata=(("x", "y" * 20_000),), timeout=_ANSWER_S
            ),
            "an unknown method": unknown(b"", timeout=_ANSWER_S),
        }
        return {what: (await call.code()).name for what, call in calls.items()}


def too_much(folder: Path) -> Iterator[Outcome]:
    with served(folder) as server:
        codes = uvloop.run(ask_too_much(server))
    asked = ("RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED", "UNIMPLEMENTED")
    for (what, code), due in zip(codes.items(), asked, strict=True):
        yield Outcome(what, due, code, code == due)


R24: Final = Scenario("R24", "rapid reset through the port of JSON, on PostgreSQL", reset_calls)
R25: Final = Scenario(
    "R25", "floods of frames through the port of JSON, on PostgreSQL", flood_frames
)
R26: Final = Scenario("R26", "more than a client may send, through the port of JSON", too_much)
