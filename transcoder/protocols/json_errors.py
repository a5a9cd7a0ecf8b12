"""Writes errors as google.rpc.Status in JSON, or in the envelope of AIP-193.

Rule: details that are not a google.rpc.Status are dropped; writing an error never fails.
"""

import logging

import grpc
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

from transcoder.call import Method
from transcoder.codec.codec import Codec
from transcoder.codec.scalars import Fault
from transcoder.errors import TranscodeError, internal_error, status_json, without_values
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

    def status(self, error: TranscodeError) -> bytes:
        """Returns an error as google.rpc.Status, for what has an envelope of its own."""
        return status_json(error, self._details(error))

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


def unwritable(fault: Fault, method: Method, request_id: object) -> TranscodeError:
    """Returns INTERNAL for a response that has no JSON form; only the log has the reason."""
    reason = without_values(fault.text("the message"))
    logger.error(
        "answer of %s has no JSON form: %s, request id %s", method.path, reason, request_id
    )
    return internal_error(request_id)
