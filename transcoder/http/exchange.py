"""Carries one HTTP request and its answer the whole way through a protocol.

A protocol reads an `Exchange` and fills in its answer; where the request came from, HTTP or an ASGI
server, is the affair of its subclass.

Rule 1: every call that HTTP makes is made here (`HttpCall`), so that all protocols read metadata,
deadline and peer alike.
Rule 2: a body that has arrived whole is read without a timer.
Rule 3: the log has the method, the path and the id of a request. Queries, headers and bodies may
hold secrets.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from multidict import CIMultiDictProxy

from transcoder.call import Call, CallMetadata, Method
from transcoder.errors import TranscodeError, shown, without_values
from transcoder.http.body import next_piece
from transcoder.http.cors import Cors
from transcoder.http.forwarded import FORWARDED_FOR, TrustedProxies, forwarded_for
from transcoder.http.headers import ForwardedMetadata, HttpMetadata, deadline_of
from transcoder.http.peer_certificates import UNKNOWN, AuthContext, auth_context_of
from transcoder.http.request import Request
from transcoder.http.response import HeaderList, HeaderPairs, Responses
from transcoder.http.switched import MessageReceiver, MessageWire, Receiver, Wire

logger = logging.getLogger(__name__)


class Exchange(ABC):
    """One request and its answer, as protocols read and write them.

    Attributes:
        verb: the HTTP method.
        path: as received, still percent-encoded.
        query: what follows the "?", as received.
        headers: of the request, looked up by any case.
        request_id: as the answer carries it.
        peername: the client's address as a socket gives it.
        forwarded_for: the addresses of all hops, if a trusted proxy sent the request; else None.
        forward_cookies: True lets the Cookie header through as metadata.
        answer_headers: of the answer, as far as it is known.
    """

    __slots__ = (
        "answer_headers",
        "forward_cookies",
        "forwarded_for",
        "headers",
        "path",
        "peername",
        "query",
        "request_id",
        "verb",
    )

    verb: str
    path: str
    query: str
    headers: CIMultiDictProxy[str]
    request_id: str
    peername: object
    forwarded_for: str | None
    forward_cookies: bool
    answer_headers: HeaderList

    @abstractmethod
    async def read(self) -> tuple[bytes, bool]:
        """Returns the next piece of the request's body, and True if more follows.

        Raises:
            TranscodeError: it did not come in time, is malformed, or the client left.
        """

    @abstractmethod
    async def begin(self, status: int) -> None:
        """Sends the head of an answer whose body is written in pieces.

        Raises:
            OSError: the client left; so do `write` and `finish`.
        """

    @abstractmethod
    async def write(self, piece: bytes) -> None:
        """Sends a piece of the body, and waits while the reader is slow."""

    @abstractmethod
    async def finish(self, piece: bytes) -> None:
        """Sends the last piece of the body."""

    @abstractmethod
    def hold(self, call: Call) -> None:
        """Notes the call that the request makes, to tell it why it is cancelled."""

    def auth_context(self) -> AuthContext:
        """Returns what is known of the client by its certificate."""
        return UNKNOWN

    def log_refusal(self, error: TranscodeError) -> None:
        """Logs what interceptors do not see, as it is no call."""
        reason = without_values(error.message)
        logger.info("refused %s: %s, request id %s", self.for_log(), reason, self.request_id)

    def for_log(self) -> str:
        """Returns what the log has of a request: no query, and no user of an authority."""
        path = self.path
        if not path.startswith("/"):
            path = path.rpartition("@")[2]
        return f"{self.verb} {shown(path)}{' with a query' if self.query else ''}"


class HttpCall(Call):
    """A call that an HTTP request makes."""

    __slots__ = ("exchange",)

    def __init__(self, method: Method, exchange: Exchange) -> None:
        """Reads what headers say of a call.

        Raises:
            TranscodeError: INVALID_ARGUMENT, a grpc-timeout or a `-bin` header is malformed.
        """
        headers = exchange.headers
        metadata: CallMetadata = HttpMetadata(
            headers, request_id=exchange.request_id, forward_cookies=exchange.forward_cookies
        )
        if exchange.forwarded_for is not None:
            metadata = ForwardedMetadata(metadata, exchange.forwarded_for)
        deadline = self.deadline_asked(headers)
        Call.__init__(self, method, metadata, deadline=deadline, peername=exchange.peername)
        self.exchange = exchange
        exchange.hold(self)

    @staticmethod
    def deadline_asked(headers: Mapping[str, str]) -> float | None:
        """Returns the deadline that headers ask for, as `time.monotonic()` has it.

        Raises:
            TranscodeError: INVALID_ARGUMENT, the header is malformed.
        """
        return deadline_of(headers) if "grpc-timeout" in headers else None

    def auth_context(self) -> AuthContext:
        return self.exchange.auth_context()


@dataclass(frozen=True, slots=True)
class ExchangeOptions:
    """Settings that all exchanges of a `Transcoder` share."""

    cors: Cors
    responses: Responses
    forward_cookies: bool
    body_timeout_s: float
    trusted_proxies: TrustedProxies | None = None


class HttpExchange(Exchange):
    """An exchange with a client of HTTP.

    Attributes:
        request: whichever way it arrived.
    """

    __slots__ = ("_options", "_read_until", "request")

    def __init__(
        self, request: Request, target: str, request_id: str, options: ExchangeOptions
    ) -> None:
        self.request = request
        self.verb = request.method
        self.path, _, self.query = target.partition("?")
        self.headers = request.headers
        self.request_id = request_id
        self.peername = request.peername
        self.forwarded_for = None
        if options.trusted_proxies is not None:
            self._find_client(options.trusted_proxies)
        self.forward_cookies = options.forward_cookies
        self.answer_headers = [("X-Request-Id", request_id)]
        self._options = options
        self._read_until: float | None = None

    def _find_client(self, proxies: TrustedProxies) -> None:
        peername = self.peername
        if proxies.trusts(peername):
            values = self.headers.getall(FORWARDED_FOR, ())
            if values:
                self.peername = proxies.client_of(peername, values)
            self.forwarded_for = forwarded_for(peername, values)

    def hold(self, call: Call) -> None:
        self.request.call = call

    def auth_context(self) -> AuthContext:
        return auth_context_of(self.request.certificate)

    async def read(self) -> tuple[bytes, bool]:
        request = self.request
        if request.has_arrived:
            # All of it is here, as it is with most calls: no timer, no wait.
            return request.arrived(), False
        timeout_s = self._options.body_timeout_s
        if self._read_until is None:
            self._read_until = asyncio.get_running_loop().time() + timeout_s
        piece = await next_piece(request, until=self._read_until, timeout_s=timeout_s)
        return piece, not request.is_read

    async def next_piece(self, *, until: float, timeout_s: float, what: str) -> tuple[bytes, bool]:
        """Returns the next piece of a body that is read as it comes, and True if more follows.

        Args:
            until: the time of the loop at which `what` must be there.
            timeout_s: seconds that led to `until`, for the error's text.
            what: the expected part of the body, for the error's text.

        Raises:
            TranscodeError: it did not come in time, is malformed, or the client left.
        """
        request = self.request
        if request.has_arrived:
            return request.arrived(), False
        piece = await next_piece(request, until=until, timeout_s=timeout_s, what=what)
        return piece, not request.is_read

    async def begin(self, status: int) -> None:
        options, out = self._options, self.answer_headers
        out += options.cors.response_headers(self.headers.get("Origin"), out)
        await self.request.begin(status, [*out, *options.responses.always])

    async def switch(self, headers: HeaderList, receiver: Receiver) -> Wire:
        """Leaves HTTP (101), by an answer with these headers and those that it has already.

        Raises:
            OSError: the client left.
        """
        out = [*self.answer_headers, *headers, *self._options.responses.always]
        return await self.request.switch(out, receiver)

    async def accept(self, subprotocol: str, receiver: MessageReceiver) -> MessageWire:
        """Opens a WebSocket whose handshake a host has read, with the headers there are already.

        Raises:
            OSError: the client left.
        """
        out = [*self.answer_headers, *self._options.responses.always]
        return await self.request.accept(subprotocol, out, receiver)

    async def write(self, piece: bytes) -> None:
        await self.request.write(piece)

    async def finish(self, piece: bytes, trailers: HeaderPairs = ()) -> None:
        """Sends the last piece of the body, and trailers, which HTTP/1.1 has in chunked bodies."""
        await self.request.finish(piece, trailers)

    def cut(self) -> None:
        """Ends an answer that has begun so that its client sees that the body is not whole."""
        self.request.cut()
