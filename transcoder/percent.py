"""Decodes percent-encoded text.

Follows RFC 3986 section 2.1 strictly: a "%" without two hex digits, which `urllib.parse` would
keep, is an error.
"""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


class BadEscapeError(ValueError):
    """A "%" without two hex digits behind it."""


def percent_decoded(text: str) -> str:
    """Returns the text that percent-encoded UTF-8 stands for.

    Raises:
        BadEscapeError: a "%" has no two hex digits behind it.
        UnicodeError: the bytes are not UTF-8.
    """
    if _BAD_ESCAPE.search(text):
        raise BadEscapeError
    return unquote_to_bytes(text).decode()
