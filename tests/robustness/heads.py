"""Heads of requests that no server should take: too large, ambiguous, or of another protocol.

Each is answered once, with a 4xx and a google.rpc.Status, and the connection ends: after such a
head nobody knows where the next request begins (RFC 9112 section 11.2).
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.robustness.raw import Client
from tests.robustness.scenario import Outcome, Scenario
from tests.support.real_server import RealServer

CLOSED_WITHIN_S: Final = 2.0
_GET: Final = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
_POST: Final = b"POST /management/v1/actions HTTP/1.1\r\nHost: localhost\r\n"

BAD_HEADS: Final = {
    "10 KB header": _GET + b"X-Large: " + b"a" * 10_240 + b"\r\n\r\n",
    "1,000 headers": _GET + b"".join(b"X-%d: a\r\n" % n for n in range(1000)) + b"\r\n",
    "20 KB path": b"GET /" + b"a" * 20_480 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "CL with TE": (
        _POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    ),
    "two Content-Length": _POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "two Host": _GET + b"Host: elsewhere\r\n\r\n",
    "bare LF": b"GET /healthz HTTP/1.1\nHost: localhost\n\n",
    "no version": b"GET /healthz\r\nHost: localhost\r\n\r\n",
    "HTTP/0.9": b"GET /healthz HTTP/0.9\r\nHost: localhost\r\n\r\n",
    "HTTP/2.0": b"GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n",
    "HTTP/9.9": b"GET /healthz HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "HTTP/2 preface that goes on otherwise": b"PRI * HTTP/2.0\r\n\r\nXM\r\n\r\n",
    "TLS hello": bytes.fromhex("16030100e4010000e00303") + bytes(220) + b"\r\n\r\n",
}


def bad_heads(folder: Path) -> Iterator[Outcome]:
    with RealServer(folder / "data") as server:
        for what, octets in BAD_HEADS.items():
            with Client(server.http) as client:
                started_at = time.monotonic()
                client.send(octets)
                answer = client.answer()
                is_closed = client.is_closed_within(CLOSED_WITHIN_S)
                waited_ms = (time.monotonic() - started_at) * 1e3
            status = answer.status if answer is not None else 0
            is_ours = answer is not None and answer.json.keys() == {"code", "message"}
            yield Outcome(
                what,
                "400 or 431, closed",
                f"{status or 'no answer'}{'' if is_ours else ', not in our words'}, "
                f"{f'closed after {waited_ms:.0f} ms' if is_closed else 'left open'}",
                status in (400, 431) and is_ours and is_closed,
            )


R15: Final = Scenario("R15", "heads of requests that no server should take", bad_heads)
