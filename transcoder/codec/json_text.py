"""Parses JSON text whole, or refuses it.

Follows RFC 8259, by orjson, which refuses what it must: lone surrogates, NaN, a byte order mark,
control characters, text after the document, invalid UTF-8, numbers beyond a double, deep nesting.
Two things it lets pass, and this file does not: of two members of one name orjson keeps the last
(RFC 8259 section 4 leaves it open; ProtoJSON refuses), and digits that a double cannot hold are
rounded.
Rule: nothing is known here of messages; a value's meaning is for decoder.py.
"""

import json
import math
import re
from typing import Final

import orjson

from transcoder.codec.scalars import NUMBER, ExactFloat, Fault
from transcoder.errors import shown

# The literal first, so that it is looked for at the speed of memory; nothing stands beside it but
# what may stand beside a number.
_MINUS_ZERO: Final = re.compile(rb"-0(?<![^\[:,\s]-0)(?![^\],}\s])")
_JSON_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}:]')


def parse(text: bytes, *, has_floats: bool) -> object:
    """Returns the document as dicts, lists and scalars.

    Args:
        text: as received.
        has_floats: that a float field may be read from it, for which -0 is not 0.

    Raises:
        Fault: not one JSON document in UTF-8, or a name twice in one object.
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
        return tree  # no name was dropped, and no sign
    _refuse_duplicates(text, written)
    # One byte is found much faster than two.
    if has_floats and b"-" in text and _MINUS_ZERO.search(text):
        return parse_exactly(text)
    return tree


def parse_exactly(text: bytes) -> object:
    """Returns a document that `parse` accepted, each float and each -0 with its text."""
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
    """Compares the members in the text with those that orjson kept, and wrote again.

    Every member has one colon outside strings, and strings have the same colons before and after;
    so fewer colons in what was written is a member dropped. Only a colon that the text spells as an
    escape is missing in this sum: such a text is read token by token.
    """
    if written and written.count(b":") == text.count(b":") and b"\\u003" not in text:
        return
    path = _first_duplicate(text)
    if path:
        fault = Fault("given twice")
        fault.path.extend(reversed(path))
        raise fault


def _first_duplicate(text: bytes) -> list[str]:
    """Returns the path of the first name that its object has already; empty if there is none."""
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
            path[-1] = name if len(name) <= 40 else name[:40] + "…"
            if name in objects[-1]:
                return path
            objects[-1].add(name)
        else:
            string = token
    return []
