"""Serves any Python gRPC service as JSON, gRPC-Web and Connect, from its descriptors."""

from transcoder.app import Transcoder
from transcoder.dispatch import ServedRoute
from transcoder.errors import SchemaError, TranscodeError
from transcoder.http.http2_pipes import Http2Pipes
from transcoder.http.plain import PlainAnswer, PlainHandler, PlainRequest
from transcoder.options import EventOptions, JsonOptions, Limits, OpenApi

__all__ = [
    "EventOptions",
    "Http2Pipes",
    "JsonOptions",
    "Limits",
    "OpenApi",
    "PlainAnswer",
    "PlainHandler",
    "PlainRequest",
    "SchemaError",
    "ServedRoute",
    "TranscodeError",
    "Transcoder",
]
