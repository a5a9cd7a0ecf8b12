"""Clients that ask for endless streams and stop reading: R22 of docs/robustness.md.

They look alive to TCP: nothing is closed, their windows are shut. Whoever behaves must not notice.
"""

import math
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from google.protobuf import json_format

from tests.proto.echo_pb2 import CASE_ENDLESS, EchoRequest
from tests.robustness.raw import exchange, request
from tests.robustness.scenario import Outcome, Scenario, at_most
from tests.robustness.stream_hosts import Hosts, hosted
from tests.support.grpc_frames import framed
from tests.support.grpcweb_fixture import REPEAT, SAY

READERS: Final = 100
WRITE_TIMEOUT_S: Final = 30.0
SLACK_S: Final = 2.0
MEMORY_MIB: Final = 64.0
MESSAGE_BYTES: Final = 10_000
EVERY_S: Final = 0.1
PATIENCE_S: Final = 10.0
_TYPE: Final = {"Content-Type": "application/grpc-web+proto"}
CONNECT: Final = "application/connect+json"
_FORMS: Final = ("", CONNECT, "application/x-ndjson", "application/json", "text/event-stream")
"""The forms in which streams are asked for: gRPC-Web, which has none, Connect, those of JSON."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The outcome of readers that stopped.

    Attributes:
        more_mib: memory that the server held at most, above what it held before.
        over_s: until the handler of the last was cancelled and over; infinite if one was not.
        good_answers: what a caller who behaves was answered meanwhile: HTTP statuses.
    """

    more_mib: float
    over_s: float
    good_answers: set[int]


def call(path: str, message: EchoRequest) -> bytes:
    body = framed(message.SerializeToString())
    return request("POST", path, body, headers={**_TYPE, "Content-Length": str(len(body))})


def json_call(path: str, message: EchoRequest, form: str) -> bytes:
    body = json_format.MessageToJson(message).encode()
    headers = {"Content-Type": "application/json", "Accept": form}
    if form == CONNECT:
        body, headers = framed(body), {"Content-Type": CONNECT}
    return request("POST", path, body, headers={**headers, "Content-Length": str(len(body))})


def open_endless(address: str, name: str, form: str) -> socket.socket:
    """A connection on which an endless stream has begun, which takes little of it."""
    host, _, port = address.rpartition(":")
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.settimeout(10)
    reader.connect((host, int(port)))
    asked = EchoRequest(name=name, case=CASE_ENDLESS, size=MESSAGE_BYTES)
    reader.sendall(json_call(REPEAT, asked, form) if form else call(REPEAT, asked))
    assert reader.recv(64).startswith(b"HTTP/1.1 200 ")
    return reader


def stop_reading(hosts: Hosts, readers: int, patience_s: float) -> Stopped:
    """Open streams, read the head of each, and wait until the server has enough of them."""
    good = call(SAY, EchoRequest(name="good"))
    address, process = hosts.front.address, hosts.front.process
    exchange(address, good)
    before, before_mib, more_mib = hosts.back.census(), process.resident_mib(), 0.0
    good_answers: set[int] = set()
    connections = [
        open_endless(address, str(number), _FORMS[number % len(_FORMS)])
        for number in range(readers)
    ]
    stopped_at, over_s, asked = time.monotonic(), math.inf, 0
    while over_s == math.inf and time.monotonic() - stopped_at < patience_s:
        more_mib = max(more_mib, process.resident_mib() - before_mib)
        answer = exchange(address, good)
        asked += 1
        good_answers.add(0 if answer is None else answer.status)
        time.sleep(EVERY_S)
        if hosts.back.census().ended - before.ended - asked == readers:
            over_s = time.monotonic() - stopped_at
    for connection in connections:
        connection.close()
    return Stopped(more_mib, over_s, good_answers)


def stopped_readers(folder: Path) -> Iterator[Outcome]:
    for is_proxy in (False, True):
        timeout = ("--write-timeout-s", f"{WRITE_TIMEOUT_S}")
        with hosted(folder, *timeout, is_proxy=is_proxy) as hosts:
            stopped = stop_reading(hosts, READERS, WRITE_TIMEOUT_S + PATIENCE_S)
        where = ", forwarded to grpc.aio" if is_proxy else ""
        what = f"memory for {READERS} streams that nobody reads{where}"
        yield at_most(what, stopped.more_mib, MEMORY_MIB, "MiB more")
        yield Outcome(
            "all handlers cancelled and over after",
            f"≤ {WRITE_TIMEOUT_S:g} s",
            f"{stopped.over_s:.1f} s",
            stopped.over_s <= WRITE_TIMEOUT_S + SLACK_S,
        )
        yield Outcome(
            "good callers meanwhile",
            "200",
            ", ".join(map(str, sorted(stopped.good_answers))),
            stopped.good_answers == {200},
        )


R22: Final = Scenario("R22", "readers of streams that stop reading", stopped_readers)
