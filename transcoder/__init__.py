"""JSON and gRPC-Web doors to any Python gRPC service, from its descriptors."""

from transcoder.app import Transcoder
from transcoder.errors import SchemaError, TranscodeError
from transcoder.options import JsonOptions, Limits

__all__ = ["JsonOptions", "Limits", "SchemaError", "TranscodeError", "Transcoder"]
