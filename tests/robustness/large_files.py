"""Files of a gibibyte that come and go as streams of HttpBody: R33 of docs/robustness.md."""

import hashlib
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.robustness.scenario import Outcome, Scenario, at_most
from tests.support.files_fixture import content
from tests.support.processes import Process

MIB: Final = 1 << 20
FILE_MIB: Final = 1024
MORE_MAX_MIB: Final = 16.0
PIECE_MAX_BYTES: Final = 64 << 10
TIMEOUT_S: Final = 60.0
_BLOCK: Final = content(MIB)


@dataclass(frozen=True, slots=True)
class Moved:
    """A file that was moved.

    Attributes:
        more_mib: memory that the server held at most, above what it held before.
        is_whole: True if all of its bytes arrived as they were sent.
        piece_bytes: the largest message of its stream, 0 if it is not known.
    """

    more_mib: float
    is_whole: bool
    piece_bytes: int = 0


def upload(address: str, server: Process, mib: int) -> Moved:
    before_mib, more_mib = server.resident_mib(), 0.0
    digest = hashlib.sha256()
    with _connected(address) as connection:
        length = mib * MIB
        head = f"POST /v1/uploads HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
        connection.sendall(head.encode())
        for number in range(mib):
            connection.sendall(_BLOCK)
            digest.update(_BLOCK)
            if number % 16 == 0:
                more_mib = max(more_mib, server.resident_mib() - before_mib)
        with connection.makefile("rb") as answer:
            headers = iter(answer.readline, b"\r\n")
            sizes = [line for line in headers if line.lower().startswith(b"content-length:")]
            got = json.loads(answer.read(int(sizes[0].split(b":")[1])))
    is_whole = got["sha256"] == digest.hexdigest()
    return Moved(more_mib, is_whole, int(got["largest"]))


def download(address: str, server: Process, mib: int) -> Moved:
    before_mib, more_mib = server.resident_mib(), 0.0
    wrong = received = 0
    with _connected(address) as connection, connection.makefile("rb", 1 << 18) as answer:
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
            more_mib = max(more_mib, server.resident_mib() - before_mib)
    return Moved(more_mib, not wrong and received == mib * MIB)


def move(mib: int) -> tuple[Moved, Moved]:
    """Sends a file to a server and gets one from it, after smaller ones that fill its pools."""
    with Process(["-m", "tests.robustness.file_service"]) as server:
        address = server.line().strip()
        upload(address, server, 4)
        download(address, server, 4)
        return upload(address, server, mib), download(address, server, mib)


def large_files(folder: Path) -> Iterator[Outcome]:
    for what, moved in zip(("upload", "download"), move(FILE_MIB), strict=True):
        yield at_most(f"memory for the {what} of 1 GiB", moved.more_mib, MORE_MAX_MIB, "MiB more")
        reached = "whole" if moved.is_whole else "other bytes"
        yield Outcome(f"the file of the {what}", "whole", reached, moved.is_whole)


def _connected(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host, int(port)))
    connection.settimeout(TIMEOUT_S)
    return connection


R33: Final = Scenario("R33", "files of 1 GiB, up and down", large_files)
