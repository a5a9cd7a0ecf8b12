"""Declares the seam between HTTP and the protocols that calls arrive in.

A protocol turns an `Exchange` into a `Call`, has the backend run it, and makes the answer. The
dispatcher asks each whether a request is in it; all else of HTTP is the dispatcher's.
"""

from typing import Protocol, TypeAlias, TypeVar

from transcoder.errors import TranscodeError
from transcoder.http.exchange import Exchange

WholeAnswer: TypeAlias = tuple[int, bytes]
"""The HTTP status and the body of an answer in one piece; its headers are the exchange's."""

ExchangeT = TypeVar("ExchangeT", bound=Exchange, contravariant=True)


class WireProtocol(Protocol[ExchangeT]):
    """Answers the requests of one protocol.

    Attributes:
        has_content_coding: True if bodies of its answers may be compressed as a whole.
    """

    @property
    def has_content_coding(self) -> bool: ...

    def takes(self, content_type: str) -> bool:
        """True if a request with this Content-Type is in the protocol."""
        ...

    async def answer(self, exchange: ExchangeT) -> WholeAnswer | None:
        """Answers a request; None if the answer was written in pieces.

        Raises:
            TranscodeError: the request is no call; `refusal` makes its answer.
        """
        ...

    def refusal(self, exchange: ExchangeT, error: TranscodeError) -> WholeAnswer:
        """Makes the answer to a request that is no call."""
        ...

    def failure(self, exchange: ExchangeT, error: TranscodeError) -> WholeAnswer:
        """Makes the answer to a request that failed through a fault of ours."""
        ...
