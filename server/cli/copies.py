"""Runs `backup`, `restore` and `check`, which need no service and disturb none."""

from pathlib import Path
from typing import Final

import click

from server.cli import output
from server.cli.failures import FAILED, Failed
from server.cli.performing import AS_JSON, stored
from server.cli.progress import reported
from server.cli.settings import settings

FILE: Final = click.argument("file", type=click.Path(path_type=Path))


@click.command(
    short_help="Copy the database to a file, also while the service runs.",
    epilog="Example: python -m server backup copy.sqlite --data-dir ./data",
)
@FILE
@AS_JSON
@stored
def backup(file: Path, as_json: bool, **flags: object) -> None:
    """Copy the database to FILE, also while the service runs.

    The copy is the database at one moment, and is checked. It holds scripts, the log of runs, and
    hashes of tokens; its mode is 0600. FILE must not exist.
    """
    from server.store import opening
    from server.store.errors import StorageError

    folder = settings(flags).config.data_dir
    try:
        position = opening.back_up(folder, file, reported("copied", "pages"))
    except StorageError as error:
        raise Failed(str(error)) from error
    if as_json:
        output.as_json({"file": str(file), "position": position})
    else:
        click.echo(f"copied all events up to position {position} to {file}")


@click.command(
    short_help="Put a copy of the database in the data folder.",
    epilog="Example: python -m server restore copy.sqlite --data-dir ./data",
)
@FILE
@click.option("--replace", is_flag=True, help="Put a database that is there aside.")
@AS_JSON
@stored
def restore(file: Path, replace: bool, as_json: bool, **flags: object) -> None:
    """Put FILE, which backup made, in the data folder; no service may run on it.

    FILE is checked whole first. A database that is there is kept as events.sqlite.replaced. Tokens
    are those of the copy: owner.token in the folder may be none of them.
    """
    from server.store import opening
    from server.store.errors import DataFolderInUse, StorageError

    folder = settings(flags).config.data_dir
    try:
        position = opening.restore(file, folder, reported("copied", "pages"), replaces=replace)
    except DataFolderInUse as error:
        raise Failed(f"{error}; stop it first, as restore needs the folder for itself") from error
    except StorageError as error:
        raise Failed(str(error)) from error
    if as_json:
        output.as_json({"folder": str(folder), "position": position})
    else:
        click.echo(f"{folder} has all events of {file}, up to position {position}")


@click.command(
    short_help="Check the database against its events.",
    epilog="Example: python -m server check --data-dir ./data",
)
@AS_JSON
@stored
def check(as_json: bool, **flags: object) -> int:
    """Check the database, also while the service runs; exit 1 if anything is wrong.

    Looks at all pages and indexes, for gaps among the events, and for states that do not follow
    from the events. Needs as much room for temporary files as the database takes.
    """
    from server.store import opening
    from server.store.errors import StorageError

    folder = settings(flags).config.data_dir
    try:
        faults = opening.compare(folder, reported("applied", "events"))
    except StorageError as error:
        raise Failed(str(error)) from error
    if as_json:
        output.as_json({"faults": faults})
    else:
        for fault in faults:
            click.echo(fault)
        if not faults:
            click.echo(f"{folder} is whole")
    return FAILED if faults else 0
