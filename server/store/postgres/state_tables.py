"""Loads facts by one statement, and writes a batch by one more, inside a transaction.

Knows the changes of events and not the events: a commit and a rebuild write the same rows.
Rule: the number of statements does not depend on the number of rows.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from server.domain.aggregates import Key, Name, State
from server.store.columns import row_changes
from server.store.forms import Row, event_row
from server.store.log import LoadedFacts, Needs, Writes
from server.store.postgres import action_counts
from server.store.postgres.connect import Connection
from server.store.postgres.rows import NUL
from server.store.postgres.tables import (
    DEPENDANTS,
    INSERT_EVENTS,
    TABLES,
    Part,
    Table,
    columns,
    insert,
)

_POSITION, _ENDED, _OWNER, _ORG_OF_ACTION = "position", "ended", "owner", "org of action"
_LAST: Final = f"SELECT '{_POSITION}', ROW(coalesce(max(position), 0)) FROM events"  # noqa: S608
_ENDED_OF: Final = (
    f"SELECT '{_ENDED}', ROW(aggregate_type, aggregate_id, sequence) FROM removed "  # noqa: S608
    "JOIN {} AS key(aggregate_type, aggregate_id) USING (aggregate_type, aggregate_id)"
)
_OWNERS_OF: Final = (
    f"SELECT '{_OWNER}', ROW(scope, org_id, name, owner) FROM names "  # noqa: S608 - ours
    "JOIN {} AS asked(scope, org_id, name) USING (scope, org_id, name)"
)
_ORGS_OF: Final = (
    f"SELECT '{_ORG_OF_ACTION}', ROW(id, org_id) FROM actions JOIN {{}} AS asked(id) USING (id)"  # noqa: S608
)

_KEY_TYPES: Final = ("text", "text")
_NAME_TYPES: Final = ("text", "text", "bytea")
_LOAD_ENDED: Final = Part(_ENDED_OF, _KEY_TYPES)
_LOAD_OWNERS: Final = Part(_OWNERS_OF, _NAME_TYPES)
_LOAD_ORGS: Final = Part(_ORGS_OF, ("text",))

_RELEASE_NAMES: Final = Part(
    "DELETE FROM names USING {} AS gone(scope, org_id, name) WHERE names.scope = gone.scope "
    "AND names.org_id = gone.org_id AND names.name = gone.name",
    _NAME_TYPES,
)
_CLAIM_NAMES: Final = insert("names", ("scope", "org_id", "name", "owner"), (*_NAME_TYPES, "text"))
_END: Final = Part(
    "INSERT INTO removed (aggregate_type, aggregate_id, sequence) SELECT * FROM {} "
    "ON CONFLICT (aggregate_type, aggregate_id) DO UPDATE SET sequence = excluded.sequence",
    (*_KEY_TYPES, "bigint"),
)

_SET_CONTENTS: Final = Part(
    "INSERT INTO sealed_contents (id, key_id, content) SELECT * FROM {} "
    "ON CONFLICT (id) DO UPDATE SET key_id = excluded.key_id, content = excluded.content",
    ("text", "text", "bytea"),
)
_DELETE_CONTENTS: Final = Part(
    "DELETE FROM sealed_contents AS held USING {} AS gone(id) WHERE held.id = gone.id", ("text",)
)


def _load_of(table: Table, kind: str, column: str) -> Part:
    found = columns(table.kind, of="held")
    return Part(
        f"SELECT '{kind}', ROW({found}) FROM {table.name} AS held "  # noqa: S608 - names of ours
        f"JOIN {{}} AS asked(value) ON held.{column} = asked.value",
        ("text",),
    )


_LOADS: Final = {kind: _load_of(table, kind, "id") for kind, table in TABLES.items()}
_LOADS_OF_DEPENDANTS: Final = {
    (kind, dependant): _load_of(TABLES[dependant], dependant, column)
    for kind, dependants in DEPENDANTS.items()
    for dependant, column in dependants.items()
}


class _Rows(NamedTuple):
    """Has the rows of one statement."""

    part: Part
    rows: Sequence[Row]


async def load(connection: Connection, needs: Needs, *, now: int) -> LoadedFacts:
    """Returns the facts as they are stored."""
    asked = [*_asked(needs)]
    loads = tuple(each.part for each in asked)
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for kind, row in await connection.fetch(_union(loads), *_arrays(asked)):
        found[kind].append(row)
    states: dict[Key, State | None] = dict.fromkeys(needs.aggregates)
    for kind, table in TABLES.items():
        for row in found[kind]:
            states[kind, row[0]] = table.to_state(row)
    owners: dict[Name, str | None] = dict.fromkeys(needs.names)
    for scope, org_id, name, owner in found[_OWNER]:
        owners[scope, org_id, name.decode()] = owner
    orgs: dict[str, str | None] = dict.fromkeys(needs.actions)
    for action_id, org_id in found[_ORG_OF_ACTION]:
        orgs[action_id] = org_id
    sequences = {
        (kind, id_): sequence
        for kind, id_, sequence in found[_ENDED]
        if states.get((kind, id_)) is None
    }
    ((position,),) = found[_POSITION]
    return LoadedFacts(states, sequences, owners, position, now, orgs)


async def load_states(connection: Connection, keys: Iterable[Key]) -> dict[Key, State]:
    """Returns the states of existing aggregates."""
    facts = await load(connection, Needs([*keys], ()), now=0)
    return {key: state for key, state in facts.states.items() if state is not None}


async def write(
    connection: Connection,
    before: Mapping[Key, State | None],
    writes: Writes,
    *,
    has_new_events: bool,
) -> None:
    """Writes names and states.

    Args:
        connection: in a transaction.
        before: the stored states.
        writes: what changed.
        has_new_events: True writes the events, too, and deletes the counts of removed actions;
            False for events that are stored.
    """
    changes = row_changes(TABLES, before, writes.states)
    gone = [_Rows(TABLES[kind].delete, ids) for kind, ids in changes.removed.items()]
    if has_new_events and "action" in changes.removed:
        gone.append(_Rows(action_counts.REMOVE, changes.removed["action"]))
    if writes.names_released:
        gone.append(_Rows(_RELEASE_NAMES, [_name_row(name) for name in writes.names_released]))
    if unsealed := [(id_,) for id_, sealed in writes.sealed.items() if sealed is None]:
        gone.append(_Rows(_DELETE_CONTENTS, unsealed))
    if gone:  # before what takes their place, as the parts of one statement have no order
        await _execute(connection, gone)
    added = [_Rows(part, rows) for part, rows in changes.changed.items()]
    added += [_Rows(TABLES[kind].insert, rows) for kind, rows in changes.added.items()]
    if has_new_events:
        added.append(_Rows(INSERT_EVENTS, [event_row(event) for event in writes.events]))
    if writes.names_claimed:
        claimed = [(*_name_row(name), owner) for name, owner in writes.names_claimed.items()]
        added.append(_Rows(_CLAIM_NAMES, claimed))
    if writes.ended:
        added.append(_Rows(_END, [(*key, last) for key, last in writes.ended.items()]))
    contents = [
        (id_, sealed.key_id, sealed.content)
        for id_, sealed in writes.sealed.items()
        if sealed is not None
    ]
    if contents:
        added.append(_Rows(_SET_CONTENTS, contents))
    if added:
        await _execute(connection, added)


async def _execute(connection: Connection, parts: Sequence[_Rows]) -> None:
    sql = _together(tuple(each.part for each in parts))
    await connection.execute(sql, *_arrays(parts))


@lru_cache(maxsize=256)
def _together(parts: tuple[Part, ...]) -> str:
    """Returns one statement of the parts, which have no order."""
    named = (f"part{number} AS ({sql})" for number, sql in enumerate(_numbered(parts)))
    return f"WITH {', '.join(named)} SELECT"


@lru_cache(maxsize=256)
def _union(parts: tuple[Part, ...]) -> str:
    return " UNION ALL ".join((_LAST, *_numbered(parts)))


def _numbered(parts: Sequence[Part]) -> Iterator[str]:
    """Yields the SQL of each part, whose parameters follow those of the part before."""
    first = 1
    for part in parts:
        yield part.at(first)
        first += len(part.types)


def _arrays(parts: Sequence[_Rows]) -> Iterator[list[object]]:
    """Yields an array for each column of each part."""
    for each in parts:
        for column in zip(*each.rows, strict=True):
            yield [*column]


def _name_row(name: Name) -> Row:
    scope, org_id, text = name
    return (scope, org_id, text.encode())


def _asked(needs: Needs) -> Iterable[_Rows]:
    """Yields what the facts are loaded by. Nothing stored has an id with a NUL character."""
    keys = [key for key in needs.aggregates if NUL not in key[1]]
    ids: defaultdict[Part, list[Row]] = defaultdict(list)
    for kind, id_ in keys:
        ids[_LOADS[kind]].append((id_,))
    for kind, id_ in needs.dependants_of:
        if NUL in id_:
            continue
        for dependant in DEPENDANTS.get(kind, ()):
            ids[_LOADS_OF_DEPENDANTS[kind, dependant]].append((id_,))
    for part, rows in ids.items():
        yield _Rows(part, rows)
    if keys:
        yield _Rows(_LOAD_ENDED, keys)
    if needs.names:
        yield _Rows(_LOAD_OWNERS, [_name_row(name) for name in needs.names])
    if actions := [(id_,) for id_ in needs.actions if NUL not in id_]:
        yield _Rows(_LOAD_ORGS, actions)
