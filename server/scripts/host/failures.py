"""Describes why an action failed, and where in its script.

The engine reports the place of an Error, but not of another thrown value. For that the script is
searched for `throw`: a place is given only if a single one fits.

Rule: text and stack come from a process that runs foreign code, so they are bounded here.
"""

import re
from typing import Final

from server.scripts.contract import EVALUATE_MAX_NS, Failure
from server.scripts.host.process import ActionEnd, EndKind
from server.scripts.protocol import SHIM_COLUMN_MIN, SHIM_LINE

TEXT_MAX: Final = 4096
"""Max characters of a failure's text."""

SEARCHED_MAX: Final = 1 << 15
"""Max characters of a script that is searched for `throw`, which takes a few milliseconds."""

_NO_ERROR: Final = ("null", "[uninitialized]")
"""Values that the engine throws, without a stack, if it lacks memory for an Error."""

_STACK_FRAME: Final = re.compile(r" +at (?:(.{1,200}) \()?<input>:(\d{1,9}):(\d{1,9})\)?")

# Enough of the language to tell code from strings and comments. An unterminated token extends to
# the end of the script, so that no part is read twice.
_THROW_OR_LITERAL: Final = re.compile(
    r"""//[^\n]*|/\*.*?(?:\*/|\Z)|`(?:\\.|[^`\\])*(?:`|\Z)"""
    r"""|(?<![\w$.])throw(?![\w$])[ \t]*"""
    r"""(?P<value>'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|[\w.]+)?"""
    r"""|'(?:\\.|[^'\\\n])*(?:'|\Z)?|"(?:\\.|[^"\\\n])*(?:"|\Z)?""",
    re.DOTALL,
)


def failure_of(ended: ActionEnd, source: str, *, timeout_ns: int) -> Failure | None:
    """Returns why the action failed; None if it succeeded."""
    if ended.end is EndKind.TIMED_OUT:
        if not ended.evaluated and timeout_ns > EVALUATE_MAX_NS:
            what = f"the script was not evaluated within {_in_seconds(EVALUATE_MAX_NS)}"
        else:
            what = f"the action was not done within {_in_seconds(timeout_ns)}"
        return Failure(f"interrupt: {what}", timed_out=True, killed=True)
    if ended.end is not EndKind.DONE:
        return Failure(ended.reason or "the process that ran the action ended", killed=True)
    done = ended.done
    if done.raised:
        return _located(*_parted(done.raised), source)
    return _located(done.text, done.stack, source) if done.text or done.stack else None


def is_syntax_error(ended: ActionEnd) -> bool:
    """True if the script does not parse: the stack is then a place in it, without callers."""
    text, stack = _parted(ended.done.raised)
    lines = stack.splitlines()
    is_place = not lines or (len(lines) == 1 and lines[0].startswith("    at <input>:"))
    return not ended.evaluated and text.startswith("SyntaxError: ") and is_place


def _parted(raised: str) -> tuple[str, str]:
    """Splits an error into text and stack, the frames at its end; `undefined` is an empty stack."""
    lines = raised.removesuffix("\n").split("\n")
    if lines[-1] == "undefined" and len(lines) > 1:
        return "\n".join(lines[:-1]), ""
    at = len(lines)
    while at > 1 and lines[at - 1].startswith("    at "):
        at -= 1
    return "\n".join(lines[:at]), "\n".join(lines[at:])


def _located(text: str, stack: str, source: str) -> Failure:
    text = text[:TEXT_MAX]
    frames = [found for line in stack.splitlines() if (found := _STACK_FRAME.fullmatch(line))]
    for found in frames:
        function, line, column = found[1], int(found[2]), int(found[3])
        # A frame without a name is a place in parsed code; it is the script's if it is the only
        # frame. Line 0 has the engine's initializers of class fields.
        is_own = line == SHIM_LINE and column >= SHIM_COLUMN_MIN
        if line and not is_own and (function or len(frames) == 1):
            column = _in_characters(column, source, line)
            place = f"<eval>:{line}:{column}"
            named = function and function not in ("<eval>", "<anonymous>")
            at = f"{function} ({place})" if named else place
            return Failure(f"{text} at {at}", line, column)
    if stack.strip():
        return Failure(text)
    line, column = _throw_of(text, source)
    if text in _NO_ERROR and not line:
        return Failure("InternalError: out of memory")
    return Failure(f"{text} at <eval>:{line}:{column}" if line else text, line, column)


def _in_characters(column: int, source: str, line: int) -> int:
    """Returns a column in characters; the engine counts octets."""
    lines = source.split("\n", line)
    if len(lines) < line or lines[line - 1].isascii():
        return column
    before = lines[line - 1].encode(errors="replace")[: column - 1]
    return len(before.decode(errors="ignore")) + 1


def _throw_of(text: str, source: str) -> tuple[int, int]:
    """Returns line and column of the only `throw` that can have thrown the text; else zeros."""
    exact, open_ = [], []
    if len(source) > SEARCHED_MAX:
        return 0, 0
    for found in _THROW_OR_LITERAL.finditer(source):
        if not found[0].startswith("throw"):
            continue
        value = found["value"] or ""
        if value in (text, f"'{text}'", f'"{text}"'):
            exact.append(found.start())
        elif value[:1] not in ("'", '"') and value != "new" and text != "null":
            open_.append(found.start())
    candidates = exact or open_
    if len(candidates) != 1:
        return 0, 0
    before = source[: candidates[0]]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _in_seconds(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e9:g} s"
