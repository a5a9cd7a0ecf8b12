"""The page of options is what the code makes, and leaves none of them out."""

import argparse
import dataclasses
import inspect
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.tables import cases
from transcoder import EventOptions, Http2Pipes, JsonOptions, Limits, OpenApi, Transcoder
from transcoder.cli import parser
from transcoder.reference import arguments, command_arguments, options, reference_page

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/transcoder-options.md").read_text("utf-8")


def rows(title: str) -> list[str]:
    """Returns the names in the first column of a section's table."""
    section = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (found,) = (text for text in section if text.startswith(f"{title}\n"))
    return re.findall(r"^\| `([^`]+)` \|", found, re.MULTILINE)


def test_the_page_is_what_the_code_makes() -> None:
    assert reference_page() == PAGE, "run: make gen"


@cases(
    "title, function",
    {
        "constructor": ("Transcoder", Transcoder),
        "forward": ("Transcoder.forward", Transcoder.forward),
        "handle": ("Transcoder.handle", Transcoder.handle),
        "start": ("Transcoder.start", Transcoder.start),
        "pipes": ("Http2Pipes", Http2Pipes),
    },
)
def test_every_argument_has_a_row(title: str, function: Callable[..., object]) -> None:
    assert rows(title) == [
        name for name in inspect.signature(function).parameters if name != "self"
    ]


@pytest.mark.parametrize("options_class", [EventOptions, JsonOptions, Limits, OpenApi])
def test_every_field_of_a_class_of_options_has_a_row(options_class: type) -> None:
    names = [field.name for field in dataclasses.fields(options_class)]
    assert rows(options_class.__name__) == names


def test_every_argument_of_the_command_has_a_row() -> None:
    heads = re.findall(r"^  (-.*?)(?:  |$)", parser().format_help(), re.MULTILINE)
    flags = set(re.findall(r"--[a-z-]+", " ".join(heads))) - {"--help", "--version"}
    shown = re.findall(r"--[a-z-]+", " ".join(rows("The command transcoder")))
    assert sorted(shown) == sorted(flags)


def test_a_row_has_type_default_and_meaning() -> None:
    shown = [
        "| `forward_cookies` | `bool` | `False` | Let the Cookie header through as metadata. |",
        "| `limits` | [`Limits`](#limits) | `Limits()` | ",
        "| `compress_min_bytes` | `int \\| None` | `4096` | ",
        "| `ids` | `Mapping[str, str]` | `{}` | ",
        "| `upstream` | `str \\| grpc.aio.Channel` |  | ",
        "| `--openapi, --no-openapi` | on | Serve an OpenAPI document at /openapi.json, and ",
    ]
    assert [row for row in shown if f"\n{row}" not in PAGE] == []


@dataclasses.dataclass
class Untold:
    first: int = 1
    """A number."""
    second: int = 2


def untold(first: int, *, second: int = 2) -> None:
    """Does nothing.

    Args:
        first: a number.
    """


def untold_command() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser("untold")
    made.add_argument("--second")
    return made


@cases(
    "read, named",
    {
        "argument": (lambda: arguments(untold), "untold: second"),
        "field": (lambda: options(Untold), "Untold: second"),
        "argument of a command": (
            lambda: list(command_arguments(untold_command())),
            "untold --second SECOND",
        ),
    },
)
def test_an_option_without_a_text_is_refused(read: Callable[[], object], named: str) -> None:
    with pytest.raises(LookupError, match=f"^{named}: expected .*, got none$"):
        read()
