"""Finds the call that failed with "not a function": the engine's text does not name it.

The engine reports line and octet of the last name that it read before the call. That is the member
itself (`api.v1.user.missing('k')`), or a name in the arguments of the call (`api.missing('k',
ctx.v1.user)`), so there may be more than one candidate.

Rule 1: no I/O, and few imports: workers load this module.
Rule 2: reads a source once; finds nothing if it cannot be sure.
"""

import re
from bisect import bisect_right
from typing import Final

SOURCE_MAX: Final = 1 << 16
"""Max characters of a source; in a longer one nothing is found."""

CALLEE_MAX: Final = 80
"""Max characters of the name of a callee."""

ENCLOSING_MAX: Final = 8
"""Max calls around a place that are examined."""

_SOURCE_TOKEN: Final = re.compile(
    r"""\s+|//[^\n]*|/\*.*?(?:\*/|\Z)"""
    r"""|(?P<token>`(?:\\.|[^`\\])*(?:`|\Z)|'(?:\\.|[^'\\\n])*'?|"(?:\\.|[^"\\\n])*"?"""
    r"""|[\w$#]+|\?\.(?!\d)|=>|.)""",
    re.DOTALL,
)
# Bounded, so that an unterminated pattern is not read again and again.
_PATTERN: Final = re.compile(r"/(?:\\.|\[(?:\\.|[^\]\\\n]){0,80}\]|[^/\\\[\n]){1,400}/\w*")
_IDENTIFIER: Final = re.compile(r"[^\W\d][\w$]*|[$#][\w$]*")
_SCRIPT_FRAME: Final = re.compile(r" +at (?:.{1,200} \()?<input>:(\d{1,9}):(\d{1,9})\)?(?:\n|\Z)")

_OPEN: Final = {")": "(", "]": "[", "}": "{"}
_DOTS: Final = (".", "?.")
_KEYWORDS: Final = frozenset(
    re.findall(
        r"\w+",
        "async await break case catch class const continue delete do else false finally for"
        " function if in instanceof let new null of return static super switch this throw true try"
        " typeof var void while with yield",
    )
)
"""Words that are neither names nor callees."""


def place_of(stack: str) -> tuple[int, int] | None:
    """Returns line and column of the first frame of a stack, if that is in the script."""
    found = _SCRIPT_FRAME.match(stack)
    return (int(found[1]), int(found[2])) if found else None


def callees(source: str, line: int, column: int) -> list[str]:
    """Returns the callees whose call may have failed at a place, innermost first.

    Args:
        source: the script.
        line: from 1.
        column: from 1, in octets.
    """
    if len(source) > SOURCE_MAX:
        return []
    lines = source.split("\n")
    if not 0 < line <= len(lines):
        return []
    before = lines[line - 1].encode(errors="replace")[: column - 1].decode(errors="ignore")
    start = sum(len(each) + 1 for each in lines[: line - 1])
    tokens = _Tokens(source)
    at = tokens.at(start, len(before), column)
    return [] if at is None else tokens.callees(at)


class _Tokens:
    """Holds the tokens of a source, without blanks and comments."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.texts: list[str] = []
        self.starts: list[int] = []
        self.pairs: dict[int, int] = {}
        self._read()

    def _read(self) -> None:
        at, open_ = 0, []
        while found := self._pattern(at) or _SOURCE_TOKEN.match(self.source, at):
            at = found.end()
            if found.re is _SOURCE_TOKEN and found["token"] is None:
                continue
            text, index = found[0], len(self.texts)
            self.texts.append(text)
            self.starts.append(found.start())
            if text in ("(", "[", "{"):
                open_.append(index)
            elif text in _OPEN and open_ and self.texts[open_[-1]] == _OPEN[text]:
                self.pairs[open_[-1]] = index
                self.pairs[index] = open_.pop()

    def _pattern(self, at: int) -> re.Match[str] | None:
        """Returns a regular expression, if an operand is expected there."""
        if self.source[at : at + 1] != "/" or self.source[at : at + 2] in ("//", "/*"):
            return None
        last = self.texts[-1] if self.texts else ";"
        ends_operand = last in (")", "]", "}") or last[0] in "'\"`"
        if ends_operand or (self._is_word(last) and last not in _KEYWORDS):
            return None
        return _PATTERN.match(self.source, at)

    @staticmethod
    def _is_word(text: str) -> bool:
        return text[0].isalnum() or text[0] in "_$#"

    def text(self, index: int) -> str:
        return self.texts[index] if 0 <= index < len(self.texts) else ""

    def at(self, line_start: int, offset: int, column: int) -> int | None:
        """Returns the token at a place as the engine reports it.

        For a member at the beginning of a line, the engine reports the end of the line before.
        """
        first = bisect_right(self.starts, line_start - 1)
        if self.text(first) in _DOTS and first > 0:
            end = self.starts[first - 1] + len(self.texts[first - 1])
            if end - (self.source.rfind("\n", 0, end) + 1) == column - 1:
                return first
        index = bisect_right(self.starts, line_start + offset) - 1
        if index < 0 or self.starts[index] + len(self.texts[index]) <= line_start + offset:
            index += 1
        return index if index < len(self.texts) else None

    def callees(self, at: int) -> list[str]:
        while self.text(at) == "(":
            at += 1
        last = self._end_of_function(at) or (at + 1 if self.text(at) in _DOTS else at)
        while self.text(last + 1) in _DOTS and _IDENTIFIER.fullmatch(self.text(last + 2)):
            last += 2
        found = [self._callee(open_) for open_ in self._calls(at, last)]
        return [*dict.fromkeys(found)] if all(found) else []

    def _end_of_function(self, at: int) -> int:
        """Returns the last token of a function that begins there; 0 if none does."""
        at += self.text(at) == "async"
        if self.text(at) == "function":
            while self.text(at) not in ("{", ""):
                at = self.pairs.get(at, at) + 1
            return self.pairs.get(at, 0)
        arrow = self.pairs.get(at, at) + 1
        return self._after_arrow(arrow) - 1 if self.text(arrow) == "=>" else 0

    def _calls(self, at: int, last: int) -> list[int]:
        """Returns the opening parentheses of calls that happen before another name is read."""
        calls = []
        direct = last + 1
        while self.text(direct) == "[" and direct in self.pairs:
            direct = self.pairs[direct] + 1
        if self.text(direct) == "?.":
            direct += 1
        if self._is_call(direct) and not self._reads(last + 1, self.pairs[direct]):
            calls.append(direct)
        around = [open_ for open_ in range(at) if self.pairs.get(open_, -1) > at]
        for open_ in reversed(around[-ENCLOSING_MAX:]):
            if self.text(open_) == "{" and self._is_body(open_):
                break  # the body runs later than the call around it
            if self._reads(last + 1, self.pairs[open_]) or self._arrow_in(open_, at):
                break
            if self._is_call(open_):
                calls.append(open_)
        return calls

    def _is_call(self, open_: int) -> bool:
        if self.text(open_) != "(" or open_ not in self.pairs or self._is_definition(open_):
            return False
        before = self.text(open_ - 1)
        name = bool(_IDENTIFIER.fullmatch(before)) and before not in _KEYWORDS
        return name or before in (")", "]", "?.") or self._is_member(open_ - 1)

    def _is_member(self, index: int) -> bool:
        """True if the token is the name of a member, which may be any word."""
        return self.text(index - 1) in _DOTS and bool(_IDENTIFIER.fullmatch(self.text(index)))

    def _is_definition(self, open_: int) -> bool:
        """True if the parentheses hold parameters."""
        after = self.text(self.pairs[open_] + 1)
        return after in ("{", "=>") or self.text(open_ - 2) == "function"

    def _is_body(self, brace: int) -> bool:
        before = self.text(brace - 1)
        if before == "=>":
            return True
        return before == ")" and self.text(self.pairs.get(brace - 1, 0) - 1) not in (
            "if",
            "for",
            "while",
            "switch",
            "catch",
            "with",
        )

    def _arrow_in(self, open_: int, at: int) -> bool:
        """True if an arrow without braces stands between an opening and a place in it."""
        index = open_ + 1
        arrow = False
        while index < at:
            text = self.text(index)
            if text in (",", ";"):
                arrow = False
            elif text == "=>":
                arrow = True
            index = self.pairs[index] + 1 if index < self.pairs.get(index, -1) < at else index + 1
        return arrow

    def _reads(self, start: int, end: int) -> bool:
        """True if a name is read between two tokens, bodies of functions left out."""
        index = start
        while index < end:
            text = self.text(index)
            if text == "=>":
                index = self._after_arrow(index)
                continue
            if text == "function" or (text == "{" and self._is_body(index)):
                while index < end and self.text(index) != "{":
                    index = self.pairs.get(index, index) + 1
                index = self.pairs.get(index, end) + 1
                continue
            if self._is_read(index):
                return True
            if text == "(" and index in self.pairs and self._is_definition(index):
                index = self.pairs[index]
            index += 1
        return False

    def _after_arrow(self, arrow: int) -> int:
        index = arrow + 1
        while index < len(self.texts) and self.text(index) not in (",", ")", "]", "}", ";"):
            pair = self.pairs.get(index, index)
            index = max(pair, index) + 1
            if self.text(pair) == "}" and pair > arrow + 1 and self.text(arrow + 1) == "{":
                break
        return index

    def _is_read(self, index: int) -> bool:
        text = self.text(index)
        if text[0] == "`":
            return "${" in text
        if not _IDENTIFIER.fullmatch(text) or (text in _KEYWORDS and not self._is_member(index)):
            return False
        after = self.text(index + 1)
        is_key = after == ":" and self.text(index - 1) in ("{", ",")
        is_method = after == "(" and index + 1 in self.pairs and self._is_definition(index + 1)
        return not is_key and not is_method and after != "=>"

    def _callee(self, open_: int) -> str:
        """Returns the text of the callee; empty if it is too long."""
        end = open_ - 1 if self.text(open_ - 1) != "?." else open_ - 2
        start = end
        while True:
            text = self.text(start)
            if text in (")", "]"):
                start = self.pairs.get(start, start)
                before = self.text(start - 1)
                if before in (")", "]") or (
                    _IDENTIFIER.fullmatch(before) and before not in _KEYWORDS
                ):
                    start -= 1
                    continue
            if self.text(start - 1) not in _DOTS:
                break
            start -= 2
        if any(not (t in _DOTS or _IDENTIFIER.fullmatch(t)) for t in self.texts[start : end + 1]):
            stop = self.starts[end] + len(self.texts[end])
            text = " ".join(self.source[self.starts[start] : stop].split())
        else:
            text = "".join(self.texts[start : end + 1])
        return text if len(text) <= CALLEE_MAX else ""
