"""Runs `export` and `import FILE`, which move organisations to another machine or engine."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import click

from server.cli import output
from server.cli.failures import Failed, Misused, storage_failures
from server.cli.performing import AS_JSON, store_of, stored
from server.cli.progress import reported

_STDOUT: Final = Path("-")


@click.command(
    short_help="Write organisations to a file, also while the service runs.",
    epilog="Example: python -m server export all.jsonl --data-dir ./data",
)
@click.argument("file", type=click.Path(path_type=Path), default=_STDOUT)
@click.option(
    "--org",
    "org_ids",
    multiple=True,
    metavar="ID",
    help="Write only this organisation; may be repeated.",
)
@click.option(
    "--folder",
    "as_folder",
    is_flag=True,
    help="Write actions and flows into a folder FILE, each script in a file of its own.",
)
@stored
def export(file: Path, org_ids: tuple[str, ...], as_folder: bool, **flags: object) -> None:
    """Write the instance, or some organisations, to FILE as JSON lines, for import.

    FILE has all events of one moment. It contains scripts and hashes of tokens; its mode is 0600,
    and it must not exist. Without FILE, or with -, the lines go to standard output. The log of
    runs, the counts of actions and the values of secrets are not exported.

    With --folder, FILE is a folder for version control, without users and tokens; import zitadel
    reads it.
    """
    if as_folder:
        _export_folder(file, org_ids, flags)
        return
    from server.clock import wall_clock
    from server.exports import writing

    engine, config = store_of(flags)
    with engine.event_reader(config.data_dir) as reader, _target(file) as out:
        done = writing.export(
            reader,
            out,
            org_ids=[*dict.fromkeys(org_ids)] or None,
            now=wall_clock(),
            progress=reported("exported", "events"),
        )
    if file != _STDOUT:
        click.echo(f"exported {_amount(done.events, done.orgs)} to {file}")


def _export_folder(folder: Path, org_ids: tuple[str, ...], flags: dict[str, object]) -> None:
    from server.moving import folder as folders
    from server.moving import here
    from server.moving.source import SourceError

    if folder == _STDOUT:
        raise Misused("--folder: expected a folder as FILE")
    engine, config = store_of(flags)
    try:
        with engine.event_reader(config.data_dir) as reader:
            orgs = here.read(reader, org_ids, reported("read", "events"))
        folders.write(folder, orgs)
    except SourceError as error:
        raise Failed(str(error)) from error
    actions = sum(len(org.actions) for org in orgs)
    amount = f"{counted(actions, 'action')} of {counted(len(orgs), 'organisation')}"
    click.echo(f"exported {amount} to {folder}")


class _FileByDefault(click.Group):
    """Runs `file` with arguments that name no other command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["file", *args]
        return super().parse_args(ctx, args)


@click.group("import", cls=_FileByDefault, short_help="Import organisations.")
def import_() -> None:
    """Import organisations from a FILE that export wrote (`import FILE`), or from a ZITADEL."""


@import_.command(
    "file",
    short_help="Import organisations from a file that export wrote; file may be left out.",
    epilog="Example: python -m server import all.jsonl --data-dir ./data",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check everything, and write nothing.")
@AS_JSON
@stored
def import_file(file: Path, dry_run: bool, as_json: bool, **flags: object) -> None:
    """Import all organisations of FILE; no service may run on the data folder.

    All of FILE is checked first, then written at once: if this fails or is stopped, nothing
    changes. An organisation that exists here is refused; if all of FILE is here already, nothing is
    to do. Users keep their tokens and roles: an IAM_OWNER of FILE owns this instance, too. On
    PostgreSQL the service may run.
    """
    from server.exports import loading, reading

    engine, config = store_of(flags)
    with storage_failures(needs_folder="import"):
        contents = reading.check(file, reported("read", "bytes"))
        with engine.import_transaction(config.data_dir) as transaction:
            is_new = loading.load(file, contents, transaction, reported("checked", "events"))
            if is_new and not dry_run:
                transaction.commit()
    to_set = contents.sealed if is_new else 0
    amount = _amount(contents.events, len(contents.org_ids))
    if not is_new:
        result, text = "already here", f"all of {file} is here already ({amount}): nothing to do"
    elif dry_run:
        result, text = "dry run", f"{file}: {amount} can be imported"
    else:
        result, text = "imported", f"imported {amount} from {file}"
    if as_json:
        counts = {"events": contents.events, "organisations": len(contents.org_ids)}
        output.as_json({"result": result, **counts, "sealedValuesToSet": to_set})
    else:
        click.echo(text)
        if to_set:
            click.echo(f"{counted(to_set, 'sealed value')} came without content; set them anew")


def _amount(events: int, orgs: int) -> str:
    return f"{counted(events, 'event')} of {counted(orgs, 'organisation')}"


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


@contextlib.contextmanager
def _target(file: Path) -> Iterator[BinaryIO]:
    """Yields standard output, or a file that appears at the end.

    Raises:
        StorageError: the file exists, or cannot be written.
    """
    from server.store.errors import StorageError
    from server.store.files import appearing, sync_file

    if file == _STDOUT:
        yield sys.stdout.buffer
        return
    if file.exists() or file.is_symlink():
        raise StorageError(f"{file} exists; name another file, or remove it")
    try:
        with appearing(file) as part:
            with part.open("wb") as out:
                yield out
            sync_file(part)
    except OSError as error:
        raise StorageError(f"{file}: {error.strerror}") from error
