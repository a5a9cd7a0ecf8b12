"""What commands on accounts share: their options, and how they perform and tell what came of it."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click
import msgspec

from server.cli import output
from server.cli.failures import Misused
from server.cli.settings import CONFIG, DATA_DIR, settings
from server.operations import Operation, Result

F = TypeVar("F", bound=Callable[..., Any])

JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def stored(command: F) -> F:
    """The options that say which data folder is meant."""
    return DATA_DIR(CONFIG(command))


def perform(operation: Operation, flags: dict[str, object]) -> list[Result]:
    from server.cli import store

    try:
        msgspec.json.encode(operation)
    except UnicodeEncodeError as error:
        text = error.object[:40].encode(errors="surrogateescape")
        raise Misused(f"expected UTF-8, got {text!r}") from error
    return store.perform(settings(flags).config.data_dir, operation)


def created(operation: Operation, as_json: bool, flags: dict[str, object]) -> None:
    for row in perform(operation, flags):
        show(row, as_json)


def show(row: Result, as_json: bool) -> None:
    (output.as_json if as_json else output.record)(row)


def ended(what: str, id: str, as_json: bool) -> None:
    if as_json:
        output.as_json({"id": id})
    else:
        click.echo(f"{what} {id}")


def listed(operation: Operation, as_json: bool, flags: dict[str, object], *columns: str) -> None:
    rows = perform(operation, flags)
    if as_json:
        output.as_json(rows)
    else:
        output.table(rows, *columns)
