"""A gibibyte in a stream: files of HttpBody both ways, and lines of JSON: R33."""

import base64
import hashlib
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.robustness.scenario import Outcome, Scenario, at_most
from tests.robustness.stream_hosts import Hosts, hosted
from tests.support.files_fixture import content
from tests.support.grpcweb_fixture import COUNT

MIB: Final = 1 << 20
FILE_MIB: Final = 1024
MORE_MAX_MIB: Final = 16.0
PIECE_MAX_BYTES: Final = 64 << 10
TIMEOUT_S: Final = 60.0
_BLOCK: Final = content(MIB)
_PAYLOAD: Final = content(12 << 10)
_BASE64: Final = base64.b64encode(_PAYLOAD)
_LINES_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Moved:
    """A stream that was sent.

    Attributes:
        more_mib: memory that the transcoder held at most, above what it held before.
        is_whole: True if all of its bytes arrived as they were sent.
        piece_bytes: the largest message of its stream, 0 if it is not known.
    """

    more_mib: float
    is_whole: bool
    piece_bytes: int = 0


def upload(hosts: Hosts, mib: int) -> Moved:
    memory, digest = Memory(hosts), hashlib.sha256()
    with _connected(hosts) as connection:
        length = mib * MIB
        head = f"POST /v1/uploads HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
        connection.sendall(head.encode())
        for _ in range(mib):
            connection.sendall(_BLOCK)
            digest.update(_BLOCK)
            memory.look()
        got = _answer(connection)
    is_whole = got["sha256"] == digest.hexdigest()
    return Moved(memory.more_mib, is_whole, int(got["largest"]))


def upload_lines(hosts: Hosts, mib: int) -> Moved:
    """Sends messages as lines of JSON, each with a number and the same payload."""
    memory, digest = Memory(hosts), hashlib.sha256()
    sent = number = 0
    with _connected(hosts) as connection:
        head = f"POST {COUNT} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        while sent < mib * MIB:
            lines = b""
            for _ in range(_LINES_AT_ONCE):
                number += 1
                lines += b'{"name":"%d","payload":"%b"}\n' % (number, _BASE64)
                digest.update(b"%d" % number + _PAYLOAD)
            connection.sendall(b"%x\r\n%b\r\n" % (len(lines), lines))
            sent += len(lines)
            memory.look()
        connection.sendall(b"0\r\n\r\n")
        got = _answer(connection)
    is_whole = (got["name"], got["index"]) == (digest.hexdigest(), number)
    return Moved(memory.more_mib, is_whole)


def download(hosts: Hosts, mib: int) -> Moved:
    memory = Memory(hosts)
    wrong = received = 0
    with _connected(hosts) as connection, connection.makefile("rb", 1 << 18) as answer:
        connection.sendall(
            f"GET /v1/downloads/{MIB}?pieces={mib} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        )
        while answer.readline() != b"\r\n":
            pass
        while size := int(answer.readline(), 16):
            chunk = answer.read(size)
            wrong += chunk != (_BLOCK if size == MIB else content(size))
            received += size
            answer.readline()
            memory.look()
    return Moved(memory.more_mib, not wrong and received == mib * MIB)


class Memory:
    """The memory of a transcoder, above that at first.

    Attributes:
        more_mib: the most that was seen.
    """

    def __init__(self, hosts: Hosts) -> None:
        self._process = hosts.front.process
        self._before_mib = self._process.resident_mib()
        self.more_mib = 0.0

    def look(self) -> None:
        self.more_mib = max(self.more_mib, self._process.resident_mib() - self._before_mib)


WAYS: Final = {
    "a file that is sent": upload,
    "a file that is got": download,
    "lines of JSON that are sent": upload_lines,
}


def move(hosts: Hosts, mib: int) -> Iterator[tuple[str, Moved]]:
    """Moves as many MiB in each way, after smaller ones that fill the pools of the transcoder."""
    for what, way in WAYS.items():
        way(hosts, 8)
        yield what, way(hosts, mib)


def large_files(folder: Path) -> Iterator[Outcome]:
    for is_proxy in (False, True):
        where = "forwarded to grpc.aio" if is_proxy else "in process"
        with hosted(folder, is_proxy=is_proxy) as hosts:
            began = time.monotonic()
            for what, moved in move(hosts, FILE_MIB):
                took_s, began = time.monotonic() - began, time.monotonic()
                yield at_most(
                    f"{what}, {where}, in {took_s:.0f} s", moved.more_mib, MORE_MAX_MIB, "MiB more"
                )
                reached = "whole" if moved.is_whole else "other bytes"
                yield Outcome("arrives", "whole", reached, moved.is_whole)


def _connected(hosts: Hosts) -> socket.socket:
    host, _, port = hosts.front.address.rpartition(":")
    connection = socket.create_connection((host, int(port)))
    connection.settimeout(TIMEOUT_S)
    return connection


def _answer(connection: socket.socket) -> Any:
    with connection.makefile("rb") as answer:
        headers = iter(answer.readline, b"\r\n")
        sizes = [line for line in headers if line.lower().startswith(b"content-length:")]
        return json.loads(answer.read(int(sizes[0].split(b":")[1])))


R33: Final = Scenario("R33", "1 GiB in streams, up and down", large_files)
