"""Writes errors as Connect's JSON, and the end of a stream.

Follows connectrpc.com, "Connect Protocol Reference" (error codes, EndStreamResponse).
Rule: details that are not a google.rpc.Status are dropped; writing an error never fails.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import grpc
import orjson
from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

from transcoder.codec.codec import Codec
from transcoder.errors import HTTP_STATUS, TranscodeError
from transcoder.http.body import JSON_TYPE
from transcoder.http.headers import base64_text, initial_headers
from transcoder.http.response import HeaderList
from transcoder.protocols.protocol import WholeAnswer

logger = logging.getLogger(__name__)

_Within = Callable[[dict[str, object]], dict[str, object]]
"""Puts an error into the value that is written."""

CODE_NAMES: Final = {code: code.name.lower() for code in grpc.StatusCode} | {
    grpc.StatusCode.CANCELLED: "canceled"
}


class ConnectErrors:
    """Writes errors."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    def answer(self, error: TranscodeError, out: HeaderList) -> WholeAnswer:
        """Makes the answer of a unary call that failed, and adds its headers to the answer's."""
        out += error.headers
        out.append(("Content-Type", JSON_TYPE))
        if error.code is grpc.StatusCode.UNAUTHENTICATED:
            out.append(("WWW-Authenticate", "Bearer"))
        return HTTP_STATUS[error.code], self._text(error, lambda value: value)

    def end_of_stream(
        self, error: TranscodeError | None, metadata: Sequence[tuple[str, str | bytes]]
    ) -> bytes:
        """Returns the JSON that ends a stream.

        Args:
            error: how the call ended; None for OK.
            metadata: the trailing metadata of the call.
        """
        rest: dict[str, object] = {}
        if metadata:
            values: dict[str, list[str]] = {}
            for key, text in initial_headers(metadata):
                values.setdefault(key, []).append(text)
            rest["metadata"] = values
        if error is None:
            return orjson.dumps(rest)
        return self._text(error, lambda value: {"error": value, **rest})

    def _text(self, error: TranscodeError, within: _Within) -> bytes:
        value: dict[str, object] = {"code": CODE_NAMES[error.code]}
        if error.message:
            value["message"] = error.message
        details = list(self._details(error))
        if details:
            value["details"] = details
        try:
            return orjson.dumps(within(value))
        except (TypeError, ValueError):
            # The message has a lone surrogate, or a detail nests deeper than orjson writes.
            value = {"code": value["code"], "message": "the error could not be written as JSON"}
            return orjson.dumps(within(value))

    def _details(self, error: TranscodeError) -> Iterable[dict[str, object]]:
        if not error.details:
            return
        try:
            details = Status.FromString(error.details).details
        except DecodeError:
            logger.warning("dropped grpc-status-details-bin: not a google.rpc.Status")
            return
        for packed in details:
            yield self._detail(packed)

    def _detail(self, packed: Any) -> dict[str, object]:
        detail: dict[str, object] = {
            "type": packed.type_url.rpartition("/")[2],
            "value": base64_text(packed.value),
        }
        debug = self._codec.content_json(packed)
        if debug is not None:
            detail["debug"] = debug
        return detail
