"""Reads the payload of a call, of whatever kind it is.

Follows docs/bridge.md.
"""

from typing import Final

import msgspec

from server.bridge import trials
from server.bridge.calls import TargetCall
from server.bridge.functions import read_function
from server.bridge.payload_values import BadPayload, object_of
from server.bridge.trials import Trial

_decode: Final = msgspec.json.Decoder().decode


def read_call(body: bytes) -> TargetCall | Trial:
    """Returns the call of a payload, or the trial that it is.

    Raises:
        BadPayload: the body is not JSON, or not the payload of a call known here.
    """
    try:
        payload = object_of(_decode(body), "payload")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadPayload("payload: expected JSON") from None
    if trials.MEMBER in payload:
        return trials.read_trial(payload)
    return read_function(payload)
