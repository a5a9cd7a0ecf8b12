"""Runs `rebuild`, which makes the current states anew; no service may run on the data folder."""

import click

from server.cli import output
from server.cli.failures import storage_failures
from server.cli.performing import AS_JSON, store_of, stored
from server.cli.progress import reported


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
    engine, config = store_of(flags)
    with storage_failures(needs_folder="rebuild"):
        events = engine.rebuild(config.data_dir, reported("applied", "events"))
    if as_json:
        output.as_json({"events": events})
    else:
        click.echo(f"rebuilt the current state from {events} events")
