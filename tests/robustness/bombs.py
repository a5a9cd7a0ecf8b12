"""Small requests that cost much: memory (R17) and CPU (R18).

Who behaves must not notice: /healthz is asked all the time, on a connection of its own.
"""

import gzip
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import brotli

from tests.robustness.bodies import peak_growth_mib
from tests.robustness.fuzz import everything
from tests.robustness.raw import Client, exchange, request
from tests.robustness.scenario import Outcome, Scenario
from transcoder.http.encodings import zstd

BOMB_BYTES: Final = 200 << 20
MEMORY_MIB: Final = 32.0
AT_ONCE: Final = 4
HEALTH_MS: Final = 300.0
EVERY_S: Final = 0.01
PATIENCE_S: Final = 120.0
_MIB: Final = 1 << 20

COMPRESS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": gzip.compress,
    "br": lambda data: brotli.compress(data, quality=5),
    "zstd": zstd.compress,
    "gzip, gzip": lambda data: gzip.compress(gzip.compress(data)),
}


def filled(head: bytes, item: bytes, tail: bytes) -> bytes:
    """A document of as many items as go into a mebibyte."""
    count = (_MIB - len(head) - len(tail)) // (len(item) + 1)
    return head + item + (b"," + item) * (count - 1) + tail


DENSE: Final = {
    "[1,1,1,…] for a ListValue": ("/v1/body/list", filled(b"[", b"1", b"]")),
    "[1,1,1,…] for int64": ("/v1/write", filled(b'{"numbers":[', b"1", b"]}")),
    "[1,1,1,…] for a message": ("/v1/write", filled(b"[", b"1", b"]")),
    "[[],[],…] for a Value": ("/v1/body/value", filled(b"[", b"[]", b"]")),
    '{"a":1} in a Struct': ("/v1/body/struct", filled(b'{"a":[', b'{"a":1}', b"]}")),
}


def bombs(folder: Path) -> Iterator[Outcome]:
    data = bytes(BOMB_BYTES)
    for coding, compress in COMPRESS.items():
        body = compress(data)
        octets = request(
            "POST",
            "/v1/write",
            body,
            headers={"Content-Encoding": coding, "Content-Length": str(len(body))},
        )
        with everything(folder) as (address, process, _):
            exchange(address, request("POST", "/v1/write", b"{}"))
            statuses: list[int] = []

            def explode(
                address: str = address, octets: bytes = octets, statuses: list[int] = statuses
            ) -> None:
                answer = exchange(address, octets)
                statuses.append(0 if answer is None else answer.status)

            grown = peak_growth_mib(process, explode)
        yield Outcome(
            f"{len(body):,} bytes of {coding} for {BOMB_BYTES >> 20} MiB",
            f"413, ≤ +{MEMORY_MIB:g} MiB",
            f"{statuses[0]}, +{grown:.1f} MiB",
            statuses == [413] and grown <= MEMORY_MIB,
        )


def health_while(address: str, octets: bytes, count: int) -> tuple[set[int], float]:
    """Send as many at once.

    Returns:
        The statuses that came, and the longest that /healthz took meanwhile, in milliseconds.
    """

    def send() -> int:
        answer = exchange(address, octets, timeout_s=PATIENCE_S)
        return 0 if answer is None else answer.status

    longest_s = 0.0
    with ThreadPoolExecutor(count) as senders, Client(address) as prober:
        sent = [senders.submit(send) for _ in range(count)]
        while not all(one.done() for one in sent):
            asked_at = time.monotonic()
            prober.send(request("GET", "/healthz"))
            prober.answer()
            longest_s = max(longest_s, time.monotonic() - asked_at)
            time.sleep(EVERY_S)
    return {one.result() for one in sent}, longest_s * 1e3


def cpu_bombs(folder: Path) -> Iterator[Outcome]:
    with everything(folder) as (address, _, _):
        for what, (path, body) in DENSE.items():
            statuses, longest_ms = health_while(address, request("POST", path, body), AT_ONCE)
            yield Outcome(
                f"{AT_ONCE} x 1 MiB of {what}: /healthz meanwhile",
                f"≤ {HEALTH_MS:g} ms",
                f"{longest_ms:.0f} ms (they got {', '.join(map(str, sorted(statuses)))})",
                longest_ms <= HEALTH_MS and statuses <= {200, 400},
            )


R17: Final = Scenario("R17", "compressed bodies that are far larger than they look", bombs)
R18: Final = Scenario("R18", "JSON that takes long to read", cpu_bombs)
