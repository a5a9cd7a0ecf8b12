"""Requests as bytes, answers as they come: a client that may break every rule of HTTP.

Blocking sockets, each with a deadline. An answer that never comes is a TimeoutError, a connection
that ends without one is None.
"""

import json
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

TIMEOUT_S: Final = 10.0
_READ_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one request."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which must be JSON and say so."""
        assert self.headers["content-type"] == "application/json", self
        return json.loads(self.body)


class Client:
    """One connection."""

    def __init__(self, address: str, *, timeout_s: float = TIMEOUT_S) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=timeout_s)
        # Else the end of a large request may wait 40 ms for an acknowledgement (RFC 896).
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, octets: bytes) -> None:
        """Send as much as the other side takes: it may have hung up in the middle."""
        try:
            self._socket.sendall(octets)
        except (BrokenPipeError, ConnectionResetError):
            return

    def answer(self) -> Answer | None:
        """The next answer; None when the connection ends without one.

        Raises:
            TimeoutError: neither happens.
        """
        while b"\r\n\r\n" not in self._received:
            if not self._receive():
                assert not self._received, self._received
                return None
        head, _, rest = self._received.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":")[::2] for line in lines)
        headers = {name.strip().lower(): value.strip() for name, value in pairs}
        self._received = rest
        length = int(headers.get("content-length", "0"))
        while len(self._received) < length:
            if not self._receive():
                raise ConnectionError(f"ended {length - len(self._received)} bytes short")
        body, self._received = self._received[:length], self._received[length:]
        return Answer(int(status_line.split()[1]), headers, body)

    def is_closed_within(self, seconds: float) -> bool:
        """True if the other side closes within this time, without sending more."""
        deadline = time.monotonic() + seconds
        while (remaining := deadline - time.monotonic()) > 0:
            self._socket.settimeout(remaining)
            try:
                if not self._receive():
                    return not self._received
            except TimeoutError:
                return False
        return False

    def _receive(self) -> bool:
        try:
            octets = self._socket.recv(_READ_BYTES)
        except ConnectionResetError:
            return False
        self._received += octets
        return bool(octets)


def exchange(address: str, request: bytes, *, timeout_s: float = TIMEOUT_S) -> Answer | None:
    """One request on a connection of its own."""
    with Client(address, timeout_s=timeout_s) as client:
        client.send(request)
        return client.answer()


def request(
    verb: str,
    path: str,
    body: bytes = b"",
    *,
    token: str = "",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """A request that keeps every rule, as far as what is put into it does."""
    given = {
        "Host": "localhost",
        **({"Authorization": f"Bearer {token}"} if token else {}),
        **({"Content-Type": "application/json", "Content-Length": str(len(body))} if body else {}),
        **(headers or {}),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"{verb} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body
