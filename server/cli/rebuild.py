"""Runs `rebuild`, which makes the current states anew; no service may run on the data folder."""

import time
from typing import TYPE_CHECKING, Final

import click

from server.cli import output
from server.cli.failures import Failed
from server.cli.performing import AS_JSON, stored
from server.cli.settings import settings

if TYPE_CHECKING:
    from server.store.engine import Progress

REPORT_S: Final = 1.0
"""Seconds between two lines of progress."""


@click.command(
    short_help="Make the current state anew from the events.",
    epilog="Example: python -m server rebuild --data-dir ./data",
)
@AS_JSON
@stored
def rebuild(as_json: bool, **flags: object) -> None:
    """Make the current state anew from the events; no service may run on the data folder.

    Events are the truth; reads use a state that is stored beside them. The state is replaced at the
    end, all at once; if this is stopped before, nothing changes.
    """
    from server.store import opening
    from server.store.errors import DataFolderInUse, StorageError

    folder = settings(flags).config.data_dir
    try:
        events = opening.rebuild(folder, _progress())
    except DataFolderInUse as error:
        raise Failed(f"{error}; stop it first, as rebuild needs the folder for itself") from error
    except StorageError as error:
        raise Failed(str(error)) from error
    if as_json:
        output.as_json({"events": events})
    else:
        click.echo(f"rebuilt the current state from {events} events")


def _progress() -> "Progress":
    due = 0.0

    def show(applied: int, total: int) -> None:
        nonlocal due
        if time.monotonic() >= due or applied == total:
            due = time.monotonic() + REPORT_S
            click.echo(f"applied {applied} of {total} events", err=True)

    return show
