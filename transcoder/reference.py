"""Writes docs/transcoder-options.md, the reference of all options, from the code that has them.

Run as `python -m transcoder.reference > docs/transcoder-options.md`, which `make gen` does. Names,
types and defaults are those of signatures, meanings those of docstrings; of the command, all are
those of its parser.

Rule: no option is described here. A text that is wrong on the page is mended where the option is.
"""

import argparse
import ast
import dataclasses
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple, get_args

from transcoder.app import Transcoder
from transcoder.cli import parser
from transcoder.field_texts import documented_fields
from transcoder.http.http2_pipes import Http2Pipes

_TOP: Final = """\
# Options of the transcoder

Made from the code by `make gen`: edit signatures and docstrings, not this page. CI compares.
[transcoder.md](transcoder.md) shows options in use. The service, which uses the library, has
[settings](settings.md) of its own.

Defaults are Python; an argument without one is required. An invalid option raises `SchemaError`
before anything is served. Numbers as R16 are scenarios of [make robustness](robustness.md).
"""
_COMMAND: Final = """\
## The command transcoder

Also `python -m transcoder`.

"""
_HEAD: Final = "| option | type | default | meaning |\n|---|---|---|---|\n"
_COMMAND_HEAD: Final = "| argument | default | meaning |\n|---|---|---|\n"

_ALIKE: Final[Mapping[str, tuple[Callable[..., object], Callable[..., object]]]] = {
    "Transcoder.forward": (Transcoder.forward, Transcoder.proxy),
    "Transcoder.start": (Transcoder.start, Transcoder.serve),
}

_ARGUMENTS: Final = re.compile(r"^Args:\n((?: {4}.*(?:\n|$))+)", re.MULTILINE)
_ARGUMENT: Final = re.compile(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)
_CODE_OR_MARK: Final = re.compile(r"(`[^`]*`)|([*<])")


class _Option(NamedTuple):
    """A row of a table; without a default the argument is required."""

    name: str
    type: str
    default: str
    meaning: str


def reference_page() -> str:
    """Returns docs/transcoder-options.md.

    Raises:
        LookupError: an option has no text; the error names it.
    """
    tables = {
        "Transcoder": arguments(Transcoder.__init__),
        **{each.__name__: options(each) for each in _option_classes()},
        **{f"Transcoder.{method.__name__}": arguments(method) for method in _methods()},
        "Http2Pipes": arguments(Http2Pipes.__init__),
    }
    sections = (
        f"## {title}\n\n{_HEAD}{''.join(_row(each, tables) for each in table)}{_alike(title)}"
        for title, table in tables.items()
    )
    command = _COMMAND_HEAD + "".join(map(_command_row, command_arguments(parser())))
    return "\n".join((_TOP, *sections, _COMMAND + command))


def arguments(function: Callable[..., object]) -> list[_Option]:
    """Returns the arguments of a function, whose meanings are in its docstring.

    Raises:
        LookupError: an argument has no text.
    """
    (given,) = (
        each.args
        for each in _parsed(function)
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    types = {each.arg: each.annotation for each in (*given.args, *given.kwonlyargs)}
    section = _ARGUMENTS.search(inspect.getdoc(function) or "")
    meanings = dict(_ARGUMENT.findall(section[1])) if section else {}
    return [
        _option(f"{function.__qualname__}: {name}", types[name], meanings.get(name), each.default)
        for name, each in inspect.signature(function).parameters.items()
        if name != "self"
    ]


def options(options_class: type) -> list[_Option]:
    """Returns the fields of a dataclass, each of which has its meaning below it.

    Raises:
        LookupError: a field has no text.
    """
    fields = {each.name: each for each in dataclasses.fields(options_class)}
    return [
        _option(
            f"{options_class.__name__}: {name}",
            statement.annotation,
            text,
            _default_of(fields[name]),
        )
        for statement, text in documented_fields(options_class)
        if (name := ast.unparse(statement.target)) in fields
    ]


def command_arguments(of: argparse.ArgumentParser) -> Iterator[_Option]:
    """Yields the arguments of a command, but those that every command has.

    Raises:
        LookupError: an argument has no text.
    """
    for action in of._actions:  # noqa: SLF001  argparse has no other list of them
        if action.dest in ("help", "version"):
            continue
        value = "" if action.nargs == 0 else action.metavar or action.dest.upper()
        name = f"{', '.join(action.option_strings)} {value}".strip()
        if not action.help:
            raise LookupError(f"{of.prog} {name}: expected a help text, got none")
        text = action.help % {**vars(action), "prog": of.prog}
        meaning, _, default = text.partition(" (default: ")
        yield _Option(name, "", default.removesuffix(")"), meaning)


def _option_classes() -> list[type]:
    """Returns the dataclasses that the constructor takes, in the order of its arguments."""
    annotations = (each.annotation for each in inspect.signature(Transcoder).parameters.values())
    return [
        each
        for annotation in annotations
        for each in (annotation, *get_args(annotation))
        if isinstance(each, type) and dataclasses.is_dataclass(each)
    ]


def _methods() -> Iterator[Callable[..., object]]:
    """Yields the public methods that describe their arguments."""
    for name, method in vars(Transcoder).items():
        is_public = inspect.isfunction(method) and not name.startswith("_")
        if is_public and _ARGUMENTS.search(inspect.getdoc(method) or ""):
            yield method


def _alike(title: str) -> str:
    """Returns which other method takes most of a table."""
    if title not in _ALIKE:
        return ""
    of, alike = _ALIKE[title]
    shared = inspect.signature(alike).parameters
    lacking = [name for name in inspect.signature(of).parameters if name not in ("self", *shared)]
    named = " and ".join(f"`{name}`" for name in lacking)
    more = ", and has all of `Transcoder`" if "options" in shared else ""
    return f"\n`Transcoder.{alike.__name__}` takes the same but {named}{more}.\n"


def _parsed(source: Callable[..., object]) -> list[ast.stmt]:
    return ast.parse(textwrap.dedent(inspect.getsource(source))).body


def _default_of(field: "dataclasses.Field[object]") -> object:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default


def _option(
    place: str, annotation: ast.expr | None, meaning: str | None, default: object
) -> _Option:
    name = place.rpartition(" ")[2]
    if meaning is None or annotation is None:
        raise LookupError(f"{place}: expected a text in its docstring and a type, got none")
    return _Option(name, ast.unparse(annotation), _python(default), meaning)


def _python(value: object) -> str:
    """Returns a default as Python; nothing for none."""
    if value is inspect.Parameter.empty:
        return ""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return f"{type(value).__name__}()"
    if isinstance(value, type):
        return value.__name__
    return repr(dict(value) if isinstance(value, Mapping) else value)


def _row(option: _Option, titles: Iterable[str]) -> str:
    linked = [title for title in titles if title in option.type.split(" | ")]
    type_ = f"`{option.type}`"
    return _cells(
        f"`{option.name}`",
        f"[{type_}](#{linked[0].lower()})" if linked else type_,
        f"`{option.default}`" if option.default else "",
        _markdown(option.meaning),
    )


def _command_row(option: _Option) -> str:
    return _cells(f"`{option.name}`", option.default, _markdown(option.meaning))


def _cells(*cells: str) -> str:
    escaped = (cell.replace("|", r"\|") for cell in cells)
    return f"| {' | '.join(escaped)} |\n"


def _markdown(text: str) -> str:
    """Returns a docstring's text as one line of Markdown, with a capital at its beginning."""
    line = " ".join(text.split())
    escaped = _CODE_OR_MARK.sub(lambda found: found[1] or f"\\{found[2]}", line)
    return escaped[:1].upper() + escaped[1:]


if __name__ == "__main__":
    sys.stdout.write(reference_page())
