"""Writes a document as YAML: collections as blocks, texts as JSON writes them.

Follows docs/openapi.md; YAML 1.2.2 sections 7.3.1 (double-quoted style), 7.3.3 (plain style) and
8.2 (block collections), so that readers of YAML 1.1 read the same.
Rule: a text stands without quotes only if every reader takes it for a text.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_/.+-]*")
_NO_TEXTS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
"""Words that YAML 1.1 or 1.2 reads as something else, in lower case."""
_UNPRINTABLE: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_INDENT: Final = "  "


def written_as_yaml(content: Mapping[str, Any]) -> bytes:
    """Returns JSON values as YAML in UTF-8."""
    return ("\n".join(_lines(content, "")) + "\n").encode()


def _lines(value: Any, indent: str) -> Iterator[str]:  # noqa: ANN401  any JSON value
    """Yields the lines of a collection that is not empty."""
    members = value.items() if isinstance(value, Mapping) else ((None, each) for each in value)
    for name, member in members:
        mark = "-" if name is None else f"{_text(name)}:"
        if isinstance(member, Mapping | list) and member:
            yield f"{indent}{mark}"
            yield from _lines(member, indent + _INDENT)
        else:
            yield f"{indent}{mark} {_scalar(member)}"


def _scalar(value: object) -> str:
    """Returns a text, a number, true, false, null, {} or []."""
    if isinstance(value, str):
        return _text(value)
    written = orjson.dumps(value).decode()
    return _with_point(written) if isinstance(value, float) else written


def _with_point(number: str) -> str:
    """Returns "1.0e+300" for "1e+300", which is a text in YAML 1.1."""
    mantissa, e, exponent = number.partition("e")
    point = "" if "." in mantissa else ".0"
    return f"{mantissa}{point}{e}{exponent}"


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _NO_TEXTS:
        return text
    quoted = orjson.dumps(text).decode()
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match.group()):04x}", quoted)
