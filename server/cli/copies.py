"""Runs `backup`, `restore` and `check`; only `restore` needs the service to be stopped."""

from pathlib import Path
from typing import Final

import click

from server.cli import output
from server.cli.failures import FAILED, storage_failures
from server.cli.performing import AS_JSON, keyed, keys_of, store_of, stored
from server.cli.progress import reported

FILE_ARGUMENT: Final = click.argument("file", type=click.Path(path_type=Path))


@click.command(
    short_help="Copy the database to a file, also while the service runs.",
    epilog="Example: python -m server backup copy.sqlite --data-dir ./data",
)
@FILE_ARGUMENT
@AS_JSON
@stored
def backup(file: Path, as_json: bool, **flags: object) -> None:
    """Copy the database to FILE, also while the service runs.

    The copy has the state of one moment, and is checked. It contains scripts, the log of runs and
    hashes of tokens; its mode is 0600. FILE must not exist.
    """
    engine, config = store_of(flags)
    position = engine.back_up(config.data_dir, file, reported("copied", "pages"))
    if as_json:
        output.as_json({"file": str(file), "position": position})
    else:
        click.echo(f"copied all events up to position {position} to {file}")


@click.command(
    short_help="Restore the database from a copy.",
    epilog="Example: python -m server restore copy.sqlite --data-dir ./data",
)
@FILE_ARGUMENT
@click.option("--replace", is_flag=True, help="Move an existing database aside.")
@AS_JSON
@stored
def restore(file: Path, replace: bool, as_json: bool, **flags: object) -> None:
    """Restore the database from FILE, which backup made; no service may run on the data folder.

    All of FILE is checked first. An existing database is kept as events.sqlite.replaced. Tokens are
    those of the copy: the token in owner.token may not be one of them.
    """
    engine, config = store_of(flags)
    with storage_failures(needs_folder="restore"):
        position = engine.restore(
            file, config.data_dir, reported("copied", "pages"), replaces=replace
        )
    if as_json:
        output.as_json({"folder": str(config.data_dir), "position": position})
    else:
        click.echo(f"{config.data_dir} has all events of {file}, up to position {position}")


@click.command(
    short_help="Check the database against its events.",
    epilog="Example: python -m server check --data-dir ./data",
)
@AS_JSON
@keyed
@stored
def check(as_json: bool, **flags: object) -> int:
    """Check the database, also while the service runs; exit 1 if it has a fault.

    Checks all pages and indexes, and finds gaps among events and states that differ from events.
    Opens all sealed values, if it has a key.
    Needs as much disk space for temporary files as the database has.
    """
    engine, config = store_of(flags)
    faults = engine.compare(config.data_dir, reported("applied", "events"))
    if not faults and (keys := keys_of(config)):
        from server.sealing.sealer import Sealer
        from server.sealing.stored import faults_of

        with engine.event_reader(config.data_dir) as reader:
            faults = [*faults_of(reader, Sealer(keys))]
    if as_json:
        output.as_json({"faults": faults})
    else:
        for fault in faults:
            click.echo(fault)
        if not faults:
            click.echo(f"{'the database' if config.database else config.data_dir} has no faults")
    return FAILED if faults else 0
