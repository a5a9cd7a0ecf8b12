"""Reads the deadline of a call from Connect-Timeout-Ms.

Follows connectrpc.com, "Connect Protocol Reference" (Timeout).
"""

import re
import time
from collections.abc import Mapping
from typing import Final

from transcoder.errors import malformed, shown

_TIMEOUT: Final = re.compile(r"[0-9]{1,10}")


def deadline_of(headers: Mapping[str, str]) -> float | None:
    """Returns `time.monotonic()` at which the caller stops waiting; None without the header.

    Raises:
        TranscodeError: INVALID_ARGUMENT for a header that is not 1 to 10 digits.
    """
    text = headers.get("Connect-Timeout-Ms")
    if text is None:
        return None
    if not _TIMEOUT.fullmatch(text):
        expected = "1 to 10 digits"
        raise malformed(f"header Connect-Timeout-Ms: expected {expected}, got {shown(text)}")
    return time.monotonic() + int(text) / 1000
