"""Reads the header If-Match, by which a write goes on only if nobody has written before it.

Follows RFC 9110 section 13.1.1; over gRPC it is metadata with the same form. A tag is the sequence
of an action or a flow, in quotes. The domain compares, within the transaction of the write.
Rule: a tag that this service does not write is refused, as no write could succeed with it.
"""

import re
from typing import Final

from server.domain.conditions import ANY_SEQUENCE, Condition
from server.domain.refusals import Kind, Refusal
from server.rpc.call_info import current_call
from server.rpc.metadata import metadata_values

KEY: Final = "if-match"
_ANY: Final = "*"
_TAG: Final = re.compile(r'"(0|[1-9][0-9]{0,18})"')
_EXPECTED: Final = 'sequences in quotes, as "5", "6", or *'
_SHOWN_MAX_CHARS: Final = 40


def if_match() -> Condition:
    """Returns the sequences that the current call accepts.

    Raises:
        Refusal: the header is malformed.
    """
    values = metadata_values(current_call().metadata, KEY)
    if not values:
        return ANY_SEQUENCE
    given = ",".join(value if isinstance(value, str) else repr(value) for value in values)
    if given.strip() == _ANY:
        return ANY_SEQUENCE
    # A list may have empty elements (RFC 9110 section 5.6.1).
    elements = [element for part in given.split(",") if (element := part.strip())]
    tags = [_TAG.fullmatch(element) for element in elements]
    sequences = frozenset(int(tag[1]) for tag in tags if tag is not None)
    if not tags or None in tags:
        got = repr(given[:_SHOWN_MAX_CHARS])
        raise Refusal(Kind.INVALID_ARGUMENT, f"{KEY}: expected {_EXPECTED}, got {got}")
    return sequences
