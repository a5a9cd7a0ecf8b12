"""Begins and ends the answers of calls that stream their responses at the routes of HTTP rules.

Follows RFC 9110 sections 6.5 (trailers) and 9.3.2 (HEAD).
Rule: with one request the head waits for the first message, as a failure has its own status.
"""

from abc import abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any

from google.protobuf.message import Message

from transcoder.errors import EnoughSent
from transcoder.http.exchange import HttpExchange
from transcoder.http.headers import http_code, initial_headers, trailer_headers
from transcoder.http.response import NO_CONTENT, HeaderPairs
from transcoder.protocols.streams import StreamingCall
from transcoder.registry import Route

Receive = Callable[[], Coroutine[Any, Any, Message | None]]
"""Returns the next request; None after the last."""


class RestStreamCall(StreamingCall):
    """A call at a route, whose responses are written one by one."""

    __slots__ = ("_http", "_receive", "_route")

    protocol = "json"

    def __init__(self, exchange: HttpExchange, route: Route, receive: Receive) -> None:
        """Prepares a call; `receive` reads its requests.

        Raises:
            TranscodeError: a header is malformed.
        """
        super().__init__(route.method, exchange)
        self._http = exchange
        self._route = route
        self._receive = receive

    def receive(self) -> Coroutine[Any, Any, Message | None]:
        return self._receive()

    @property
    def status(self) -> int:
        """Returns the HTTP status of the answer, if the call does not fail before it begins."""
        return http_code(self.initial_metadata)

    @abstractmethod
    def head(self) -> tuple[int, HeaderPairs]:
        """Returns the HTTP status of the answer, and the headers that describe its body."""

    async def begin(self) -> None:
        exchange = self.exchange
        status, described = self.head()
        exchange.answer_headers += initial_headers(self.initial_metadata)
        exchange.answer_headers += described
        await exchange.begin(200 if status in NO_CONTENT else status)
        if exchange.verb == "HEAD":
            raise EnoughSent

    @abstractmethod
    async def finish(self, tail: bytes | None) -> None:
        """Ends the answer.

        Args:
            tail: the end of the body; None cuts it.
        """

    async def end_with(self, piece: bytes) -> None:
        """Sends the last piece of the body, and trailing metadata to a client that reads it."""
        exchange = self._http
        trailers: HeaderPairs = ()
        if self.trailing_metadata and _takes_trailers(exchange):
            trailers = list(trailer_headers(self.trailing_metadata))
        try:
            if not self.is_started:
                self.is_started = True
                await self.begin()
            await exchange.finish(b"" if exchange.verb == "HEAD" else piece, trailers)
        except EnoughSent:
            await exchange.finish(b"")
        except OSError:  # the client left before the end of the body
            return


def _takes_trailers(exchange: HttpExchange) -> bool:
    """True if the client says that it reads trailers (RFC 9110 section 10.1.4)."""
    said = ",".join(exchange.headers.getall("TE", ())).lower()
    return "trailers" in map(str.strip, said.split(","))
