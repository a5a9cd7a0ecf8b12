"""Markdown as a reader uses it: commands that are typed, and what they are said to answer.

A `sh` block is commands; a `console` block is a command behind each "$ ", and below it what it
prints. JSON counts by its value, as each program lays it out in its own way, all else by its text.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

_BLOCK: Final = re.compile(r"^```([a-z]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROMPT: Final = re.compile(r"^\$ ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Step:
    """One command, and what it prints."""

    command: str
    printed: str


def blocks(text: str, language: str) -> Iterator[str]:
    """The text of each fenced block of the language."""
    return (block[2] for block in _BLOCK.finditer(text) if block[1] == language)


def steps(text: str) -> Iterator[Step]:
    """Yields the commands and outputs of the `console` blocks, in their order."""
    for block in blocks(text, "console"):
        before, *shown = _PROMPT.split(block)
        assert not before, f"expected a command first, got {before!r}"
        for step in shown:
            lines = step.splitlines(keepends=True)
            count = 1
            while lines[count - 1].endswith("\\\n"):
                count += 1
            yield Step("".join(lines[:count]), "".join(lines[count:]))


def value_of(printed: str) -> Any:
    """Returns an output for comparison: the value of JSON, or the text without trailing blanks."""
    try:
        return json.loads(printed)
    except ValueError:
        return printed.rstrip()
