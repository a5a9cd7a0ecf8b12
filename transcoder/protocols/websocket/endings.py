"""Writes the end of a call over WebSocket: its last message, and the code of the Close frame.

Follows RFC 6455 section 7.4.2: codes from 4000 on are for applications.
Rule: the last message always comes before the Close frame, as a close frame has room for 123 bytes.
"""

from collections.abc import Iterable
from typing import Final

import orjson

from transcoder.errors import CODE_NUMBER, TranscodeError
from transcoder.http.headers import initial_headers
from transcoder.http.switched import Kind, Outgoing
from transcoder.protocols.json_errors import JsonErrors
from transcoder.protocols.websocket.framing import NORMAL, close_message

FIRST_CODE: Final = 4000
"""The close code of a call that fails is this and its gRPC code: 4005 for NOT_FOUND."""

Metadata = Iterable[tuple[str, str | bytes]]


def opening_messages(initial: Metadata) -> tuple[Outgoing, ...]:
    """Returns the message that comes before all others, if a call has initial metadata."""
    values = _by_name(initial)
    return (Outgoing(Kind.TEXT, (orjson.dumps({"headers": values}),)),) if values else ()


def end_messages(
    errors: JsonErrors,
    error: TranscodeError | None,
    trailing: Metadata = (),
    *,
    close_code: int | None = None,
) -> tuple[Outgoing, Outgoing]:
    """Returns the last message of a call and the Close frame.

    Args:
        errors: writes the status.
        error: the failure of the call; None for OK.
        trailing: metadata.
        close_code: another than that of the status.
    """
    text = b'{"status":' + (b'{"code":0}' if error is None else errors.status(error))
    values = _by_name(trailing)
    if values:
        text += b',"trailers":' + orjson.dumps(values)
    if close_code is None:
        close_code = NORMAL if error is None else FIRST_CODE + CODE_NUMBER[error.code]
    reason = "OK" if error is None else error.code.name
    return Outgoing(Kind.TEXT, (text, b"}")), close_message(close_code, reason)


def _by_name(metadata: Metadata) -> dict[str, list[str]]:
    """Returns metadata as HTTP would have it in headers, all values of a name together."""
    values: dict[str, list[str]] = {}
    for name, value in initial_headers(metadata):
        values.setdefault(name, []).append(value)
    return values
