"""Runs `events`, which prints the log of events as JSON lines, also while the service runs."""

import json
import time
from typing import TYPE_CHECKING, Final

import click

from server.cli.performing import store_of, stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from server.domain.events import RecordedEvent
    from server.store.engine import EventReader

EVENTS_PER_READ: Final = 1_000
"""Max events of one read."""
FOLLOW_S: Final = 0.2
"""Seconds between two reads of new events."""


@click.command(
    short_help="Print events as JSON lines.",
    epilog="Example: python -m server events --from 100 --follow --data-dir ./data",
)
@click.option(
    "--from",
    "first",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="POSITION",
    help="Begin with this position.",
)
@click.option(
    "--org", "org_id", default=None, metavar="ID", help="Print only events of this organisation."
)
@click.option("--follow", is_flag=True, help="Go on with new events, until Ctrl-C.")
@stored
def events(first: int, org_id: str | None, follow: bool, **flags: object) -> None:
    """Print events as JSON lines, in the order of their positions; the service may run.

    Events are what happened; all states follow from them.
    """
    engine, config = store_of(flags)
    with engine.event_reader(config.data_dir) as reader:
        for event in _read(reader, first - 1, follow=follow):
            if org_id is None or event.org_id == org_id:
                click.echo(_line(event))


def _read(reader: "EventReader", after: int, *, follow: bool) -> "Iterator[RecordedEvent]":
    while True:
        some = reader.events(after, EVENTS_PER_READ)
        yield from some
        if some:
            after = some[-1].position
        elif follow:
            time.sleep(FOLLOW_S)
        else:
            return


def _line(event: "RecordedEvent") -> str:
    from server.exports.form import document_of

    return json.dumps(document_of(event), ensure_ascii=False)
