"""Writes and reads tokens of pages: a number, in a form that clients do not read."""

import base64
import binascii
import struct
from typing import Final

from server.domain.refusals import invalid

_NUMBER: Final = struct.Struct(">Q")


def page_token(number: int) -> str:
    """Returns the token of the page that begins at a number; empty after the last page."""
    return base64.urlsafe_b64encode(_NUMBER.pack(number)).decode() if number else ""


def number_of(token: str, place: str) -> int:
    """Returns the number of a token.

    Raises:
        Refusal: it is no token; `place` is the id of the error.
    """
    try:
        (number,) = _NUMBER.unpack(base64.b64decode(token, b"-_", validate=True))
    except (ValueError, binascii.Error, struct.error):
        number = 0
    if not 0 < number < 2**63:
        raise invalid("Errors.Query.PageTokenInvalid", place)
    return int(number)
