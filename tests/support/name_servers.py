"""A name server on loopback, for look-ups that are to succeed, to fail, or never to end.

Follows RFC 1035 section 4, as far as one question by UDP or TCP needs.
"""

import asyncio
import contextlib
import ipaddress
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

_ANSWER: Final = 0x8180
_NO_NAME: Final = 0x8183
_TRUNCATED: Final = 0x8380
_TYPES: Final = {1: 4, 28: 6}
"""A and AAAA, by the version of their addresses."""


class NameServer(asyncio.DatagramProtocol):
    """Answers for the names it has; others do not exist.

    Attributes:
        address: "127.0.0.1:port".
        silent: ending of names for which no answer is ever sent.
        asked: the names of all questions.
    """

    def __init__(
        self, names: Mapping[str, Sequence[str]], *, silent: str, is_truncated: bool
    ) -> None:
        self.address = ""
        self.silent = silent
        self.asked: list[str] = []
        self._names = names
        self._is_truncated = is_truncated
        self.transport: asyncio.DatagramTransport | None = None

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._answer(data)
        if answer is None or self.transport is None:
            return
        if self._is_truncated:
            answer = data[:2] + struct.pack(">5H", _TRUNCATED, 1, 0, 0, 0) + _question(data)
        self.transport.sendto(answer, addr)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers by TCP."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                (size,) = struct.unpack(">H", await reader.readexactly(2))
                answer = self._answer(await reader.readexactly(size))
                if answer is not None:
                    writer.write(struct.pack(">H", len(answer)) + answer)
        writer.close()

    def _answer(self, data: bytes) -> bytes | None:
        name, kind = _asked(data)
        self.asked.append(name)
        if name.endswith(self.silent):
            return None
        found = [
            address.packed
            for address in map(ipaddress.ip_address, self._names.get(name, ()))
            if address.version == _TYPES.get(kind)
        ]
        status = _ANSWER if name in self._names else _NO_NAME
        head = data[:2] + struct.pack(">5H", status, 1, len(found), 0, 0)
        records = (struct.pack(">3HIH", 0xC00C, kind, 1, 0, len(of)) + of for of in found)
        return head + _question(data) + b"".join(records)


def _question(data: bytes) -> bytes:
    return data[12 : data.index(0, 12) + 5]


def _asked(data: bytes) -> tuple[str, int]:
    labels, at = [], 12
    while size := data[at]:
        labels.append(data[at + 1 : at + 1 + size].decode("ascii").lower())
        at += 1 + size
    (kind,) = struct.unpack(">H", data[at + 1 : at + 3])
    return ".".join(labels), kind


@contextlib.asynccontextmanager
async def name_server(
    names: Mapping[str, Sequence[str]], *, silent: str = ".silent.test", is_truncated: bool = False
) -> AsyncIterator[NameServer]:
    """Runs one in the running loop.

    Args:
        names: addresses by name, in small letters.
        silent: ending of names for which no answer is ever sent.
        is_truncated: True to have all answers asked for again by TCP.
    """
    served = NameServer(names, silent=silent, is_truncated=is_truncated)
    stream = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    port = stream.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: served, local_addr=("127.0.0.1", port)
    )
    served.transport = transport
    served.address = f"127.0.0.1:{port}"
    try:
        yield served
    finally:
        transport.close()
        stream.close()
        await stream.wait_closed()
