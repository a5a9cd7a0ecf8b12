"""Writes errors as google.rpc.Status in JSON, or in the envelope of AIP-193.

Rule: details that are not a google.rpc.Status are dropped; writing an error never fails.
"""

import logging

import grpc
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

from transcoder.codec.codec import Codec
from transcoder.errors import TranscodeError, status_json
from transcoder.http.body import JSON_TYPE
from transcoder.http.response import HeaderList
from transcoder.protocols.protocol import WholeAnswer

logger = logging.getLogger(__name__)


class JsonErrors:
    """Writes errors.

    Attributes:
        has_envelope: True writes errors in the envelope of AIP-193.
    """

    def __init__(self, codec: Codec, *, has_envelope: bool) -> None:
        self.has_envelope = has_envelope
        self._codec = codec

    def text(self, error: TranscodeError) -> bytes:
        """Returns the JSON of an error."""
        return status_json(error, self._details(error), has_envelope=self.has_envelope)

    def answer(self, error: TranscodeError, out: HeaderList) -> WholeAnswer:
        """Makes the answer of an error, and adds its headers to the answer's."""
        out += error.headers
        out.append(("Content-Type", JSON_TYPE))
        if error.code is grpc.StatusCode.UNAUTHENTICATED:
            out.append(("WWW-Authenticate", "Bearer"))
        return error.http_status, self.text(error)

    def _details(self, error: TranscodeError) -> list[object]:
        if not error.details:
            return []
        try:
            return list(map(self._codec.any_json, Status.FromString(error.details).details))
        except DecodeError:
            logger.warning("dropped grpc-status-details-bin: not a google.rpc.Status")
            return []
