"""Prints results as aligned columns or as JSON."""

import json
from collections.abc import Sequence
from typing import TypeAlias

import click

Value: TypeAlias = str | int | list[str] | None
OutputRow: TypeAlias = dict[str, Value]


def as_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def table(rows: Sequence[OutputRow], *columns: str) -> None:
    """Prints the names of columns, then a line for each row; nothing if there are no rows."""
    cells = [[column.upper().replace("_", " ") for column in columns]] if rows else []
    cells += [[_text(row[column]) for column in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def record(row: OutputRow, *, err: bool = False) -> None:
    """Prints a line for each value: its name, then the value."""
    width = max(map(len, row))
    for name, value in row.items():
        click.echo(f"{name.replace('_', ' ').ljust(width)}  {_text(value)}".rstrip(), err=err)


def _text(value: Value) -> str:
    if value is None:
        return "never"
    return ", ".join(value) if isinstance(value, list) else str(value)
