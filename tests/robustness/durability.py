"""Compares acknowledged writes with stored ones, after a process was killed.

Each acknowledgement is a line of a log in another file, `<action id> <sequence>`, written after the
answer came. A write without one may be stored or not: its caller does not know either.
"""

from dataclasses import dataclass
from pathlib import Path

from server.domain.aggregates import Key, State, evolve
from server.domain.events import RecordedEvent
from server.store.engine import Store
from server.store.opening import open_store
from server.store.read_model import ActionsOf

EVENTS_A_READ = 10_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """The counts of a check; all but the first two have to be zero.

    Attributes:
        lost: acknowledged, and not stored.
        duplicates: events with the aggregate and sequence of another.
        gaps: events whose position does not follow the one before.
        differing: aggregates whose stored state is not what their events make of them.
    """

    acknowledged: int
    stored: int
    lost: int
    duplicates: int
    gaps: int
    differing: int

    @property
    def is_sound(self) -> bool:
        return not (self.lost or self.duplicates or self.gaps or self.differing)


def acknowledged(log: Path) -> set[tuple[str, int]]:
    """The acknowledgements in the log; a last line that was cut off is none."""
    lines = log.read_text().split("\n")[:-1]
    return {(action_id, int(sequence)) for action_id, sequence in map(str.split, lines)}


async def check(folder: Path, log: Path, *, database: str = "") -> Verdict:
    """Opens the store, as after a crash, and compares it with the log.

    Args:
        folder: the data folder.
        log: the acknowledgements.
        database: its URL, if it is not in the folder.
    """
    store = await open_store(folder, database=database)
    try:
        events = await _all_events(store)
        differing = await _differing(store, events)
    finally:
        await store.close()
    acks = acknowledged(log)
    places = [(event.aggregate_type, event.aggregate_id, event.sequence) for event in events]
    stored = {(event.aggregate_id, event.sequence) for event in events}
    positions = [event.position for event in events]
    return Verdict(
        acknowledged=len(acks),
        stored=len(events),
        lost=len(acks - stored),
        duplicates=len(places) - len(set(places)),
        gaps=sum(place != at for place, at in enumerate(positions, start=1)),
        differing=differing,
    )


async def _all_events(store: Store) -> list[RecordedEvent]:
    events: list[RecordedEvent] = []
    while some := await store.events(after=len(events), limit=EVENTS_A_READ):
        events.extend(some)
    return events


async def _differing(store: Store, events: list[RecordedEvent]) -> int:
    expected: dict[Key, State | None] = {}
    orgs = {event.org_id for event in events}
    for event in events:
        key = (event.aggregate_type, event.aggregate_id)
        expected[key] = evolve(expected.get(key), event)
    stored: dict[Key, State | None] = {}
    for org_id in orgs:
        for action in (await store.read(ActionsOf(org_id))).items:
            stored["action", action.id] = action
    actions = {key: state for key, state in expected.items() if key[0] == "action"}
    return sum(stored.get(key) != state for key, state in actions.items()) + len(
        stored.keys() - actions.keys()
    )
