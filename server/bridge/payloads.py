"""Reads the payload of a call: of a function, of a request or a response, or of an event.

Follows docs/bridge.md. Each kind has a member of its own: `function`, `fullMethod`, `event_type`.
"""

from typing import Final

import msgspec

from server.bridge import trials
from server.bridge.calls import Ignored, TargetCall
from server.bridge.events import read_event
from server.bridge.functions import read_function
from server.bridge.messages import read_message
from server.bridge.payload_values import BadPayload, object_of
from server.bridge.trials import Trial

_decode: Final = msgspec.json.Decoder().decode


def read_call(body: bytes) -> TargetCall | Ignored | Trial:
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
    if "fullMethod" in payload:
        return read_message(payload)
    if "event_type" in payload:
        return read_event(payload)
    return read_function(payload)
