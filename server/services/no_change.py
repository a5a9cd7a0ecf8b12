"""What a caller wants of a write that changes nothing: `x-actions-no-change: ok` asks for OK.

Without it the answer is the API's own, FAILED_PRECONDITION, which over HTTP is the 400 of a request
that is wrong, so that who sets things up anew cannot tell the two apart.
Rule: which refusals are of this kind is the domain's to say, and the batch decides; not this.
"""

from typing import Final

from server.domain.refusals import Kind, Refusal
from server.rpc.call_info import current_call
from server.rpc.metadata import metadata_value

KEY: Final = "x-actions-no-change"
_OK: Final = "ok"
_SHOWN_CHARS: Final = 40


def takes_unchanged() -> bool:
    """Whether the call under way takes a write that changes nothing as done.

    Raises:
        Refusal: it says something else than that.
    """
    value = metadata_value(current_call().metadata, KEY)
    if value is None or value == _OK:
        return value is not None
    got = repr(value[:_SHOWN_CHARS])
    raise Refusal(Kind.INVALID_ARGUMENT, f"{KEY}: expected {_OK!r}, got {got}")
