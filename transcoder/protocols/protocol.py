"""Declares the interface between HTTP and the protocols of calls.

A protocol makes a `Call` of an `Exchange`, has the backend run it, and makes the answer. The
dispatcher finds the protocol of a request, and adds what all answers share.

Rule: protocols may share a Content-Type: another protocol than REST may use JSON, and recognize its
requests by a header, the path or the query.
"""

from collections.abc import Sequence
from typing import Protocol, TypeAlias, TypeVar

from transcoder.errors import TranscodeError
from transcoder.http.exchange import Exchange
from transcoder.registry import Route
from transcoder.routing.router import NewRoute

WholeAnswer: TypeAlias = tuple[int, bytes]
"""The HTTP status and the body of an answer in one piece; its headers are the exchange's."""

ExchangeT = TypeVar("ExchangeT", bound=Exchange, contravariant=True)


class WireProtocol(Protocol[ExchangeT]):
    """Answers requests.

    Attributes:
        has_content_coding: True if bodies of its answers may be compressed as a whole.
    """

    @property
    def has_content_coding(self) -> bool: ...

    def forms(self, route: NewRoute[Route]) -> Sequence[str]:
        """Returns the forms in which a client can call a route by this protocol; empty if in none.

        Decided by what decides about requests, as people read it in the table of routes.
        """
        ...

    async def answer(self, exchange: ExchangeT) -> WholeAnswer | None:
        """Answers a request; None if the answer was written in pieces.

        Raises:
            TranscodeError: the request cannot become a call; `refusal` makes its answer.
        """
        ...

    def refusal(self, exchange: ExchangeT, error: TranscodeError) -> WholeAnswer:
        """Makes the answer to a request that cannot become a call."""
        ...

    def failure(self, exchange: ExchangeT, error: TranscodeError) -> WholeAnswer:
        """Makes the answer to a request that failed by a fault of the server."""
        ...


class SelectiveProtocol(WireProtocol[ExchangeT], Protocol[ExchangeT]):
    """Answers the requests that it takes."""

    def reads(self, content_type: str) -> bool:
        """True if a request with this Content-Type may be in the protocol; "" stands for none.

        The result must not change: the dispatcher caches it for each Content-Type.
        """
        ...

    def takes(self, exchange: ExchangeT) -> bool:
        """True if a request whose Content-Type it reads is in the protocol; must not raise."""
        ...
