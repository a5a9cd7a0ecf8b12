"""Serves the Connect protocol at the paths by which gRPC calls methods.

Follows connectrpc.com, "Connect Protocol Reference".
Rule 1: JSON without Connect's header is REST's: its errors are google.rpc.Status.
Rule 2: a request that is refused before it is a call is answered in plain text, if Connect has no
code with the HTTP status: its clients make one of the status.
"""

from collections.abc import Sequence
from typing import Final

from google.protobuf.descriptor_pb2 import MethodOptions

from transcoder.call import Backend, Method
from transcoder.codec.codec import Codec
from transcoder.errors import (
    HTTP_STATUS,
    TranscodeError,
    malformed,
    shown,
    unsupported_media_type,
    wrong_method,
)
from transcoder.http.ceiling import Ceiling
from transcoder.http.exchange import HttpExchange
from transcoder.http.offload import Offload
from transcoder.options import Limits
from transcoder.protocols import plain_text
from transcoder.protocols.connect.errors import ConnectErrors
from transcoder.protocols.connect.form import STREAM_FORMS, UNARY_FORMS, Form, Messages
from transcoder.protocols.connect.query import GetRequest, is_get_request, parse_query
from transcoder.protocols.connect.streams import Streams
from transcoder.protocols.connect.unary import Unary
from transcoder.protocols.protocol import WholeAnswer
from transcoder.registry import Registry, Route
from transcoder.routing.router import NewRoute

VERSION_HEADER: Final = "Connect-Protocol-Version"
_VERSION: Final = "1"
FORM: Final = "Connect"
"""The name of the protocol in the table of routes."""
_SAFE: Final = ("GET", "HEAD")


class Connect:
    """Serves all methods, each by the kind of its streams."""

    has_content_coding: Final = False  # unary.py compresses bodies, streams have messages

    def __init__(
        self,
        registry: Registry,
        backend: Backend,
        codec: Codec,
        *,
        limits: Limits,
        offload: Offload,
        ceiling: Ceiling,
        compress_min_bytes: int,
    ) -> None:
        """Serves the methods of the registry, also those that are added later.

        Args:
            registry: the methods.
            backend: runs the calls.
            codec: writes the details of errors as JSON.
            limits: of messages.
            offload: inflates, deflates, reads and writes large messages.
            ceiling: counts the bytes of bodies.
            compress_min_bytes: bodies of unary calls, and messages of streams, from this size on
                are compressed where clients accept it.
        """
        self._routes = registry.own_routes
        self._offload = offload
        self._inline_max_bytes = limits.inline_max_bytes
        self._errors = ConnectErrors(codec)
        self._unary = Unary(
            backend,
            self._errors,
            limits=limits,
            offload=offload,
            ceiling=ceiling,
            compress_min_bytes=compress_min_bytes,
        )
        self._streams = Streams(
            backend,
            self._errors,
            limits=limits,
            offload=offload,
            ceiling=ceiling,
            compress_min_bytes=compress_min_bytes,
        )

    def forms(self, route: NewRoute[Route]) -> Sequence[str]:
        own = self._routes.get(route.path)
        if own is None or own.method is not route.target.method:
            return ()
        is_safe = route.verb in _SAFE and _has_get(own.method)
        return (FORM,) if route.verb == "POST" or is_safe else ()

    def reads(self, content_type: str) -> bool:
        return True  # by its header a request is Connect's, whatever its body is

    def takes(self, exchange: HttpExchange) -> bool:
        if exchange.path not in self._routes:
            return False
        headers = exchange.headers
        if VERSION_HEADER in headers:
            return True
        if exchange.verb in _SAFE:
            return is_get_request(exchange.query)
        media_type = _media_type(headers.get("Content-Type", ""))
        return media_type in STREAM_FORMS or media_type == Form.PROTO.unary_type

    async def answer(self, exchange: HttpExchange) -> WholeAnswer | None:
        route = self._routes[exchange.path]
        media_type = _media_type(exchange.headers.get("Content-Type", ""))
        got: GetRequest | None = None
        if exchange.verb in _SAFE and _has_get(route.method):
            got = parse_query(exchange.query)
        elif exchange.verb != "POST":
            raise wrong_method((*_SAFE, "POST") if _has_get(route.method) else ("POST",))
        version = exchange.headers.get(VERSION_HEADER, _VERSION)
        if version != _VERSION:
            raise malformed(f"header {VERSION_HEADER}: expected {_VERSION}, got {shown(version)}")
        form = _form(route.method, media_type) if got is None else got.form
        messages = Messages(
            route,
            form,
            offload=self._offload,
            inline_max_bytes=self._inline_max_bytes,
            request_id=exchange.request_id,
        )
        if route.method.is_unary:
            return await self._unary.answer(exchange, route, messages, form=form, got=got)
        return await self._streams.answer(exchange, route, messages, form=form)

    def refusal(self, exchange: HttpExchange, error: TranscodeError) -> WholeAnswer:
        if error.http_status != HTTP_STATUS[error.code]:
            return plain_text.refuse(error, exchange.answer_headers)
        return self.failure(exchange, error)

    def failure(self, exchange: HttpExchange, error: TranscodeError) -> WholeAnswer:
        form = STREAM_FORMS.get(_media_type(exchange.headers.get("Content-Type", "")))
        if form is not None:
            return self._streams.refusal(exchange, error, form=form)
        return self._errors.answer(error, exchange.answer_headers)


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _form(method: Method, media_type: str) -> Form:
    """Returns the form that a Content-Type names.

    Raises:
        TranscodeError: 415, it is not one of the method's kind.
    """
    forms = UNARY_FORMS if method.is_unary else STREAM_FORMS
    form = forms.get(media_type)
    if form is None:
        expected = " or ".join(forms)
        raise unsupported_media_type(
            f"content type {shown(media_type)}: expected {expected}",
            ("Accept-Post", ", ".join(forms)),
        )
    return form


def _has_get(method: Method) -> bool:
    """True if a method is called by GET too: it has no side effects, and does not stream."""
    options = method.descriptor.GetOptions()
    return method.is_unary and options.idempotency_level == MethodOptions.NO_SIDE_EFFECTS
