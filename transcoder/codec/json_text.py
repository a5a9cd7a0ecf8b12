"""Parses JSON text, more strictly than orjson.

Follows RFC 8259. orjson refuses lone surrogates, NaN, a byte order mark, control characters, text
after the document, invalid UTF-8, numbers beyond a double and deep nesting. It accepts two things
that this file refuses or corrects: of two members of one name it keeps the last (RFC 8259 section 4
leaves it open; ProtoJSON refuses), and it rounds digits that a double cannot hold.
Rule: this file knows no messages; decoder.py reads the values.
"""

import json
import math
import re
from typing import Final

import orjson

from transcoder.codec.scalars import NUMBER, ExactFloat, Fault
from transcoder.errors import SHOWN_MAX_CHARS, shown

# The literal comes first, so that `re` searches for it fast; the look-arounds allow only characters
# that may stand beside a number.
_MINUS_ZERO: Final = re.compile(rb"-0(?<![^\[:,\s]-0)(?![^\],}\s])")
_JSON_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}:]')


def parse_json(text: bytes, *, has_floats: bool) -> object:
    """Returns the document as dicts, lists and scalars.

    Args:
        text: as received.
        has_floats: True if a float field may be read from it, for which -0 is not 0.

    Raises:
        Fault: the text is not one JSON document in UTF-8, or an object has a name twice.
    """
    try:
        tree: object = orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        raise _syntax_error(text, exc) from None
    try:
        written = orjson.dumps(tree)
    except orjson.JSONEncodeError:
        written = b""  # orjson reads deeper than it writes
    if written == text:
        return tree  # orjson dropped no member and no sign
    _refuse_duplicates(text, written)
    # Searching for one byte first is much faster.
    if has_floats and b"-" in text and _MINUS_ZERO.search(text):
        return parse_json_exactly(text)
    return tree


def parse_json_exactly(text: bytes) -> object:
    """Returns a document that `parse_json` accepted; each float and each -0 keeps its text."""
    try:
        tree: object = json.loads(text, parse_float=ExactFloat, parse_int=_exact_int)
    except RecursionError:
        raise Fault("nested too deeply") from None
    return tree


def _exact_int(digits: str) -> int | float:
    return ExactFloat(digits) if digits == "-0" else int(digits)


def _syntax_error(text: bytes, exc: orjson.JSONDecodeError) -> Fault:
    try:
        text.decode()
    except UnicodeDecodeError as fault:
        return Fault(f"expected UTF-8, got 0x{text[fault.start]:02x} at byte {fault.start}")
    number = NUMBER.match(exc.doc, exc.pos)
    if number is not None and math.isinf(float(number[0])):
        place = f"{shown(number[0])} at line {exc.lineno}, column {exc.colno}"
        return Fault(f"expected a number that a double holds, got {place}, which is out of range")
    rest = exc.doc[exc.pos :]
    found = shown(rest) if rest else "the end of the text"
    return Fault(f"expected JSON, got {found} at line {exc.lineno}, column {exc.colno}")


def _refuse_duplicates(text: bytes, written: bytes) -> None:
    """Raises Fault if orjson dropped a member, which it does for a name given twice.

    Each member has one colon outside of strings, and strings keep their colons. So if the text has
    more colons than orjson wrote, a member was dropped. A colon that the text writes as an escape
    would be counted in one of them only: such a text is read token by token.
    """
    if written and written.count(b":") == text.count(b":") and b"\\u003" not in text:
        return
    path = _first_duplicate(text)
    if path:
        fault = Fault("given twice")
        fault.path.extend(reversed(path))
        raise fault


def _first_duplicate(text: bytes) -> list[str]:
    """Returns the path of the first duplicate name; empty if there is none."""
    objects: list[set[str]] = []
    path: list[str] = []
    string = b""
    for match in _JSON_TOKEN.finditer(text):
        token = match[0]
        if token == b"{":
            objects.append(set())
            path.append("")
        elif token == b"}":
            objects.pop()
            path.pop()
        elif token == b":":
            name: str = orjson.loads(string)
            path[-1] = name if len(name) <= SHOWN_MAX_CHARS else name[:SHOWN_MAX_CHARS] + "…"
            if name in objects[-1]:
                return path
            objects[-1].add(name)
        else:
            string = token
    return []
