"""docs/transcoder.md shows what the examples have, which are run, and names all there is to set."""

import dataclasses
import inspect
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.support.transcripts import Step, blocks, steps
from transcoder import JsonOptions, Transcoder

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "transcoder.md").read_text("utf-8")
_LANGUAGES = {"python": "*.py", "proto": "*.proto", "yaml": "*.yaml"}


def sources(pattern: str) -> list[str]:
    """The examples' files, once for each depth that a part of one may be indented by."""
    texts = [path.read_text("utf-8") for path in sorted((ROOT / "examples").glob(f"*/{pattern}"))]
    assert texts
    return [re.sub(rf"(?m)^ {{{depth}}}", "", text) for text in texts for depth in (0, 4, 8)]


def titled(texts: Iterable[str]) -> list[object]:
    return [pytest.param(text, id=text.strip().splitlines()[0][:50]) for text in texts]


@pytest.mark.parametrize(
    ("language", "code"),
    [(language, code) for language in _LANGUAGES for code in blocks(GUIDE, language)],
)
def test_its_code_is_that_of_an_example(language: str, code: str) -> None:
    assert any(code in text for text in sources(_LANGUAGES[language]))


@pytest.mark.parametrize("command", titled(blocks(GUIDE, "sh")))
def test_its_commands_are_those_of_an_example(command: str) -> None:
    assert any(command in blocks(text, "sh") for text in sources("README.md"))


@pytest.mark.parametrize("shown", list(steps(GUIDE)), ids=lambda step: step.command[:60])
def test_its_calls_are_those_of_an_example(shown: Step) -> None:
    assert any(shown in steps(text) for text in sources("README.md"))


def test_no_block_of_it_is_left_unchecked() -> None:
    languages = set(re.findall(r"^```(\w*)$", GUIDE, re.MULTILINE))
    assert languages <= {"", "sh", "console", *_LANGUAGES}


def test_it_names_every_option() -> None:
    options = [*inspect.signature(Transcoder).parameters]
    options += [field.name for field in dataclasses.fields(JsonOptions)]
    missing = [name for name in options if f"`{name}" not in GUIDE and f"{name}=" not in GUIDE]
    assert missing == []


def test_a_command_may_go_on_in_the_next_line() -> None:
    first, second = steps("```console\n$ a \\\n  b\nout\n$ c\n```\n")
    assert (first.command, first.printed) == ("a \\\n  b\n", "out\n")
    assert (second.command, second.printed) == ("c\n", "")
