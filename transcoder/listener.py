"""Listen on an address, and read the bodies of what comes in.

Follows RFC 9110 sections 8.4 (Content-Encoding) and 10.1.1 (Expect), and RFC 9112 section 9.
Rule: a body that has arrived whole is read without a timer.
"""

import asyncio
import logging
import re
import resource
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from aiohttp import HttpVersion11, hdrs, web

from transcoder.codings import codings_of, decoded
from transcoder.connection import Connection, Connections, Refuse, Request, closing, make_request
from transcoder.errors import SchemaError, TranscodeError, malformed, too_large, too_slow
from transcoder.offload import offload
from transcoder.options import Limits

logger = logging.getLogger(__name__)

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_SPARE_DESCRIPTORS: Final = 128
"""For all but connections: listeners, the store, logs."""
_BAD_CHUNKS: Final = "its chunks are malformed"
_PORT_MAX: Final = 65535
_ADDRESS: Final = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s:\[\]]*)):(?P<port>[0-9]{1,5})"
)


class Listener:
    """One address, and the connections that came in through it."""

    def __init__(self, handler: Handler, refuse: Refuse, *, limits: Limits) -> None:
        """Prepare to listen.

        Args:
            handler: answers a request; it is cancelled when its client leaves.
            refuse: makes the answer to what never reaches the handler, or outlasts it.
            limits: what a client may make the server hold, and for how long.
        """
        self._handler = handler
        self._limits = limits
        self._connections = Connections(refuse, limits=limits)
        self._socket_server: asyncio.Server | None = None

    async def start(self, address: str) -> str:
        """Bind and accept.

        Args:
            address: "host:port" or "[v6]:port"; without a host every interface, with port 0 a
                free port.

        Returns:
            The address bound.

        Raises:
            SchemaError: this is no address.
            OSError: the address cannot be bound.
        """
        host, port = _parse(address)
        self._connections.maximum = _make_room(self._limits.connections_max)
        server = web.Server(self._handler, handler_cancellation=True, request_factory=make_request)
        self._socket_server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self._connections, server),
            host,
            port,
            # With asyncio's 100, a burst makes callers wait a second for their second SYN (R19).
            backlog=self._connections.maximum,
        )
        name, number = self._socket_server.sockets[0].getsockname()[:2]
        return f"[{name}]:{number}" if ":" in name else f"{name}:{number}"

    async def stop(self) -> None:
        """Refuse new connections, close idle ones, and let requests in flight end.

        What still runs after `limits.drain_timeout_s` is cancelled, and answered as UNAVAILABLE.
        """
        if self._socket_server is not None:
            self._socket_server.close()
        await self._connections.drain()


async def read_body(request: web.BaseRequest, limits: Limits) -> bytes:
    """The whole body of a request, without its content codings.

    Raises:
        TranscodeError: it is too large (413), too slow (408), of a coding that is not taken (415),
            or not what its Content-Encoding or its transfer coding says (400).
    """
    codings = _codings(request)
    # aiohttp's parser wants chunked last, and does not mind what stands before it.
    coding = request.headers.get(hdrs.TRANSFER_ENCODING)
    if coding is not None and coding.strip().lower() != "chunked":
        raise closing(malformed("header Transfer-Encoding: expected chunked, last and once"))
    content = request.content
    try:
        body = content.read_nowait() if content.is_eof() else await _read_slowly(request, limits)
    except web.RequestPayloadError as exc:
        is_inflated = content.total_compressed_bytes is not None
        what = "it is not what its Content-Encoding says" if is_inflated else _BAD_CHUNKS
        raise closing(malformed(f"request body: {what}")) from exc
    except TimeoutError as exc:
        request.protocol.close()
        raise closing(too_slow("the request body", limit_s=limits.body_timeout_s)) from exc
    if len(body) > limits.body_max_bytes:
        raise _too_large(limits)
    if codings and body:
        # Never on the loop: of br a few octets may take as long as a megabyte.
        return await offload(decoded, body, codings, max_bytes=limits.body_max_bytes)
    return body


def _codings(request: web.BaseRequest) -> Sequence[str]:
    said = request.headers.getall(hdrs.CONTENT_ENCODING, ())
    if not said:
        return ()
    if request.body_exists and request.content.total_compressed_bytes is not None:
        return ()  # an application's aiohttp undoes codings itself, unless it is told not to
    return codings_of(said)


async def _read_slowly(request: web.BaseRequest, limits: Limits) -> bytes:
    if (request.content_length or 0) > limits.body_max_bytes:
        raise _too_large(limits)
    invite(request)
    chunks = []
    left = limits.body_max_bytes
    async with asyncio.timeout(limits.body_timeout_s):
        while chunk := await request.content.readany():
            chunks.append(chunk)
            left -= len(chunk)
            if left < 0:
                raise _too_large(limits)
    return b"".join(chunks)


def invite(request: web.BaseRequest) -> None:
    """Ask for the body that a client announces; an application's router does so by itself."""
    expected = request.headers.get(hdrs.EXPECT)
    transport = request.transport
    if (
        expected is not None
        and expected.lower() == "100-continue"
        and request.version >= HttpVersion11
        and isinstance(request, Request)
        and transport is not None
    ):
        transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def _too_large(limits: Limits) -> TranscodeError:
    return too_large("the request body", limit_bytes=limits.body_max_bytes)


def _parse(address: str) -> tuple[str | None, int]:
    found = _ADDRESS.fullmatch(address)
    if found is None or int(found["port"]) > _PORT_MAX or not _may_be_host(found["host"] or ""):
        raise SchemaError(f"address {address!r}: expected host:port or [v6]:port")
    return found["v6"] or found["host"] or None, int(found["port"])


def _may_be_host(name: str) -> bool:
    """Whether a resolver can be asked; asyncio encodes the name, and fails as codecs do."""
    try:
        name.encode("idna")
    except UnicodeError:
        return False
    return True


def _make_room(connections: int) -> int:
    """Let this process have as many files open as connections need.

    Without a descriptor left, accept() fails for good callers and bad ones alike.

    Returns:
        How many connections there is room for.
    """
    wanted = connections + _SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if allowed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed == wanted:
        return connections
    room = max(allowed - _SPARE_DESCRIPTORS, 1)
    logger.warning(
        "%d connections at most, not %d: this process may open %d files", room, connections, allowed
    )
    return room
