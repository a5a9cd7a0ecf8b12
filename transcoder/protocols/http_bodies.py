"""Answers with google.api.HttpBody: its content type, and its bytes as they are.

Follows google/api/httpbody.proto, and RFC 9110 sections 8.3 (Content-Type), 14.4 (Content-Range)
and 15.3.7 (206).

Rule 1: no byte is added: neither between the messages of a stream nor at its end.
Rule 2: a stream that fails after its first message is cut, since no client could tell it from a
whole one.
"""

import logging
import re
from typing import Final

from google.protobuf.message import Message

from transcoder.binding.http_body import HttpBody, HttpBodyGetter
from transcoder.call import Call
from transcoder.errors import internal_error
from transcoder.http.exchange import HttpExchange
from transcoder.http.headers import CONTENT_RANGE, body_headers, http_code
from transcoder.http.response import HeaderList, HeaderPairs
from transcoder.protocols.stream_calls import Receive, RestStreamCall
from transcoder.registry import Route

logger = logging.getLogger(__name__)

UNKNOWN_TYPE: Final = "application/octet-stream"
"""Content type of a body whose servicer gives none."""

# RFC 9110 section 8.3.1.
_MEDIA_TYPE: Final = re.compile(
    r"[\w!#$%&'*+.^`|~-]+/[\w!#$%&'*+.^`|~-]+(?:[ \t]*;[\t\x20-\x7e]*)?", re.ASCII
)


def content_type_of(body: HttpBody, route: Route, request_id: str) -> str:
    """Returns the content type of a body.

    Raises:
        TranscodeError: INTERNAL, the servicer gave an invalid one.
    """
    content_type = body.content_type or UNKNOWN_TYPE
    if _MEDIA_TYPE.fullmatch(content_type) is None:
        path = route.method.path
        logger.error("answer of %s has an invalid content type, request id %s", path, request_id)
        raise internal_error(request_id)
    return content_type


def head_of(call: Call, content_type: str) -> tuple[int, HeaderList]:
    """Returns the HTTP status of a body, and the headers that describe it.

    Args:
        call: its initial metadata has the status, and headers of the body.
        content_type: of the body.
    """
    status = http_code(call.initial_metadata)
    headers = list(body_headers(call.initial_metadata))
    is_range = status == 200 and any(name == CONTENT_RANGE for name, _ in headers)
    return 206 if is_range else status, [*headers, ("Content-Type", content_type)]


class HttpBodyStreamCall(RestStreamCall):
    """A call whose responses are pieces of one body."""

    __slots__ = ("_body_of", "_content_type")

    def __init__(
        self, exchange: HttpExchange, route: Route, receive: Receive, body_of: HttpBodyGetter
    ) -> None:
        """Prepares a call; `body_of` returns the HttpBody of a response.

        Raises:
            TranscodeError: a header is malformed.
        """
        super().__init__(exchange, route, receive)
        self._body_of = body_of
        self._content_type = UNKNOWN_TYPE

    async def start(self) -> None:
        """Does nothing: the head waits for the first message, which has the content type."""

    def head(self) -> tuple[int, HeaderPairs]:
        return head_of(self, self._content_type)

    async def piece_of(self, message: Message) -> bytes:
        body = self._body_of(message)
        if not self.is_started:
            self._content_type = content_type_of(body, self._route, self.exchange.request_id)
        return body.data

    async def finish(self, tail: bytes | None) -> None:
        if tail is None:
            self._http.cut()
        else:
            await self.end_with(tail)
