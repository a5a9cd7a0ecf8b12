"""Reads the header `x-actions-no-change`, by which a write that changes nothing is answered OK.

Without it the answer is FAILED_PRECONDITION, as in ZITADEL. Over HTTP that is 400, as is an invalid
request: a tool that repeats its set-up could not tell the two apart.
Rule: the domain marks such refusals as `Unchanged`; the batch decides if one is an error.
"""

from typing import Final

from server.domain.refusals import Kind, Refusal
from server.rpc.call_info import current_call
from server.rpc.metadata import metadata_value

KEY: Final = "x-actions-no-change"
_OK: Final = "ok"
_SHOWN_MAX_CHARS: Final = 40


def allow_noop() -> bool:
    """True if the current call asks for OK when its write changes nothing.

    Raises:
        Refusal: the header has another value.
    """
    value = metadata_value(current_call().metadata, KEY)
    if value is None or value == _OK:
        return value is not None
    got = repr(value[:_SHOWN_MAX_CHARS])
    raise Refusal(Kind.INVALID_ARGUMENT, f"{KEY}: expected {_OK!r}, got {got}")
