"""Reads how a write that changes nothing is to be answered: `x-actions-no-change: ok` asks for OK.

Without it the answer is the API's own, FAILED_PRECONDITION. Over HTTP that is 400, as for a wrong
request, so a tool that sets things up again cannot tell the two apart.
Rule: the domain says which refusals are of this kind, and the batch decides.
"""

from typing import Final

from server.domain.refusals import Kind, Refusal
from server.rpc.call_info import current_call
from server.rpc.metadata import metadata_value

KEY: Final = "x-actions-no-change"
_OK: Final = "ok"
_SHOWN_CHARS: Final = 40


def allow_noop() -> bool:
    """True if the current call asks for OK when its write changes nothing.

    Raises:
        Refusal: the header has another value.
    """
    value = metadata_value(current_call().metadata, KEY)
    if value is None or value == _OK:
        return value is not None
    got = repr(value[:_SHOWN_CHARS])
    raise Refusal(Kind.INVALID_ARGUMENT, f"{KEY}: expected {_OK!r}, got {got}")
