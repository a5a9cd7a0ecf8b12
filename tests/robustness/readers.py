"""Clients that ask for endless streams and stop reading: R22 of docs/robustness.md.

They look alive to TCP: nothing is closed, their windows are shut. Whoever behaves must not notice.
"""

import math
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from google.protobuf import json_format

from tests.proto.echo_pb2 import CASE_ENDLESS, EchoRequest
from tests.robustness.raw import exchange, request
from tests.robustness.scenario import Outcome, Scenario, at_most
from tests.support.grpc_frames import framed
from tests.support.grpcweb_fixture import REPEAT, SAY
from tests.support.processes import Process

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


def stop_reading(readers: int, write_timeout_s: float) -> Stopped:
    """Open streams, read the head of each, and wait until the server has enough of them."""
    good = call(SAY, EchoRequest(name="good"))
    arguments = ["-m", "tests.robustness.stream_service", str(write_timeout_s), str(readers)]
    with Process(arguments) as server, ThreadPoolExecutor(1) as executor:
        address = server.line().strip()
        exchange(address, good)
        before_mib, more_mib = server.resident_mib(), 0.0
        good_answers: set[int] = set()
        connections = [
            open_endless(address, str(number), _FORMS[number % len(_FORMS)])
            for number in range(readers)
        ]
        stopped_at = time.monotonic()
        over = executor.submit(server.line)
        while not over.done() and time.monotonic() - stopped_at < write_timeout_s + PATIENCE_S:
            more_mib = max(more_mib, server.resident_mib() - before_mib)
            answer = exchange(address, good)
            good_answers.add(0 if answer is None else answer.status)
            wait([over], EVERY_S)
        over_s = time.monotonic() - stopped_at if over.done() else math.inf
        server.kill()  # which ends the wait for its line as well
        for connection in connections:
            connection.close()
    return Stopped(more_mib, over_s, good_answers)


def stopped_readers(folder: Path) -> Iterator[Outcome]:
    stopped = stop_reading(READERS, WRITE_TIMEOUT_S)
    what = f"memory for {READERS} streams that nobody reads"
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
