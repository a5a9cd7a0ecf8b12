"""Reads path templates: "/v1/{name=shelves/*}/books:search".

Follows google/api/http.proto, "Path template syntax". Accepts three forms more, as grpc-gateway
does: "/" alone is a template, single segments may follow `**`, and a verb may contain colons (it
begins at the first colon of the last segment).
Rule: this file knows no messages; the binding checks that a variable names a field.
"""

import re
from dataclasses import dataclass
from typing import Final, NoReturn, Self
from urllib.parse import quote, unquote

from transcoder.errors import SchemaError

_IDENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# The characters of a path segment (RFC 3986 section 3.3), escapes, and letters beyond ASCII, which
# only a request has to percent-encode.
_LITERAL: Final = re.compile(r"(?:[^/{}*?#%\x00-\x20\x7f]|%[0-9A-Fa-f]{2})+")


@dataclass(frozen=True, slots=True)
class Literal:
    """A segment that matches itself."""

    text: str
    """Percent-decoded; empty only in the template "/"."""


@dataclass(frozen=True, slots=True)
class Single:
    """`*`: one segment that is not empty."""


@dataclass(frozen=True, slots=True)
class Multi:
    """`**`: zero or more segments."""


Segment = Literal | Single | Multi


@dataclass(frozen=True, slots=True)
class Variable:
    """A field, and the segments `start` to `end` (exclusive) of the template that fill it."""

    field_path: tuple[str, ...]
    start: int
    end: int
    is_multi: bool
    """More than one segment, or `**`: its value keeps "%2F" as it was sent."""
    column: int
    """The column of its "{" in the template, counted from 1."""


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """A parsed path template; at most one `Multi`."""

    text: str
    segments: tuple[Segment, ...]
    variables: tuple[Variable, ...]
    verb: str
    """Without its colon, percent-decoded; empty when there is none."""

    @property
    def sample(self) -> str:
        """Returns a path that it matches, with "~" for each wildcard."""
        texts = (quote(s.text) if isinstance(s, Literal) else "~" for s in self.segments)
        return f"/{'/'.join(texts)}{':' if self.verb else ''}{quote(self.verb)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parses a template.

        Raises:
            SchemaError: names the template and the column of the fault, counted from 1.
        """
        if text == "/":
            return cls(text, (Literal(""),), (), "")
        parser = _Parser(text)
        verb = parser.read_template()
        return cls(text, tuple(parser.segments), tuple(parser.variables), verb)


class _Parser:
    def __init__(self, text: str) -> None:
        self.segments: list[Segment] = []
        self.variables: list[Variable] = []
        self._text = text
        self._position = 0

    def read_template(self) -> str:
        """Reads the whole template, and returns its verb."""
        self._expect("/", '"/"')
        self._read_segment()
        while self._take("/"):
            self._read_segment()
        verb = self._read_verb() if self._take(":") else ""
        if self._peek() == "{":
            self._refuse("a variable begins a segment")
        if self._position < len(self._text):
            self._fail('"/", a verb or the end')
        return verb

    def _read_segment(self) -> None:
        if self._peek() == "{":
            self._read_variable()
        elif self._peek() == "*":
            self._read_wildcard()
        else:
            literal = self._read_literal("a segment")
            if self._position == len(self._text):
                head = literal.partition(":")[0]
                self._position -= len(literal) - len(head)
                literal = head
            if not literal:
                self._fail("a segment")
            self.segments.append(Literal(unquote(literal)))

    def _read_verb(self) -> str:
        if self._peek() == ":":
            self._fail("a verb")
        return unquote(self._read_literal("a verb"))

    def _read_variable(self) -> None:
        opened_at = self._position
        self._position += 1
        field_path = [self._read_identifier()]
        while self._take("."):
            field_path.append(self._read_identifier())
        if any(variable.field_path == tuple(field_path) for variable in self.variables):
            self._position = opened_at
            self._refuse(f"expected variable {'.'.join(field_path)!r} once")
        start = len(self.segments)
        whose = f"of the variable in column {opened_at + 1}"
        if self._take("="):
            self._read_part(whose)
            while self._take("/"):
                self._read_part(whose)
            self._expect("}", f'"/" or "}}" {whose}')
        else:
            if self._peek() != "}":
                self._fail(f'".", "=" or "}}" {whose}')
            self.segments.append(Single())
            self._position += 1
        end = len(self.segments)
        is_multi = end - start > 1 or isinstance(self.segments[start], Multi)
        self.variables.append(Variable(tuple(field_path), start, end, is_multi, opened_at + 1))

    def _read_part(self, whose: str) -> None:
        """Reads one segment of a variable's own template."""
        if self._peek() == "{":
            self._refuse(f'another variable before the "}}" {whose}')
        if self._peek() == "*":
            self._read_wildcard()
        else:
            self.segments.append(Literal(unquote(self._read_literal("a segment"))))

    def _read_wildcard(self) -> None:
        position = self._position
        self._position += 1
        if not self._take("*"):
            self.segments.append(Single())
            return
        if any(isinstance(segment, Multi) for segment in self.segments):
            self._position = position
            self._refuse('expected "**" once')
        self.segments.append(Multi())

    def _read_identifier(self) -> str:
        return self._read(_IDENT, "a field name")

    def _read_literal(self, expected: str) -> str:
        return self._read(_LITERAL, expected)

    def _read(self, pattern: re.Pattern[str], expected: str) -> str:
        found = pattern.match(self._text, self._position)
        if found is None:
            self._fail(expected)
        self._position = found.end()
        return found.group()

    def _peek(self) -> str:
        return self._text[self._position : self._position + 1]

    def _take(self, character: str) -> bool:
        if self._peek() != character:
            return False
        self._position += 1
        return True

    def _expect(self, character: str, expected: str) -> None:
        if not self._take(character):
            self._fail(expected)

    def _fail(self, expected: str) -> NoReturn:
        got = repr(self._peek()) if self._peek() else "the end"
        self._refuse(f"expected {expected}, got {got}")

    def _refuse(self, why: str) -> NoReturn:
        raise SchemaError(f"path template {self._text!r}, column {self._position + 1}: {why}")
