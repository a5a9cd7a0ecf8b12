"""Answers the queries of the read model from the tables of current states.

Reading one row takes microseconds, less than a thread switch: `QUICK` has such queries, which are
answered on the loop.
Rule: an answer that takes two statements reads both in one transaction.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import Any, Final, TypeAlias, TypeVar

from server.domain.action import Action, ActionState
from server.domain.aggregates import Key, State, org_name
from server.domain.flow import Flow, flow_id
from server.domain.machine_key import MachineKey
from server.domain.org import IAM_OWNER, Member, Org, member_id
from server.domain.sealed import Sealed, SealedValue
from server.domain.user import Token, User
from server.store import read_model as queries
from server.store.action_lists import ActionsQuery
from server.store.forms import Row
from server.store.org_lists import OrgsQuery
from server.store.read_model import EndedOrg, FlowRead, Footprint, Page, Query
from server.store.signing_keys import SigningKey
from server.store.sqlite import action_lists, org_lists, rows, tables
from server.store.sqlite.action_lists import Statement
from server.store.sqlite.tables import select

S = TypeVar("S", bound=State)

QueryAnswer: TypeAlias = Callable[[sqlite3.Connection, Any], Any]
"""Takes a query, and returns its answer or `NOT_QUICK`."""

NOT_QUICK: Final = object()
"""Returned by an entry of `QUICK` if the answer takes long: it is then read in a thread."""

TRIGGER_AT_ONCE_MAX: Final = 16
"""Max actions of a trigger that are read on the loop: 5 µs each, a millisecond for the longest
scripts."""

_ACTION: Final = select("actions", Action, "id = ? AND org_id = ?")
_FLOW: Final = select("flows", Flow, "id = ?")
_NAME_OWNER: Final = "SELECT owner FROM names WHERE scope = ? AND org_id = ? AND name = ?"
_SIGNING_KEYS: Final = "SELECT id, public_key, expires_at FROM signing_keys ORDER BY id"
_CONTENT: Final = "SELECT key_id, content FROM sealed_contents WHERE id = ?"
_WITHOUT_CONTENT: Final = (
    "SELECT id FROM sealed_values WHERE org_id = ? AND purpose = ?"
    " AND NOT EXISTS (SELECT 1 FROM sealed_contents AS content WHERE content.id = sealed_values.id)"
    " ORDER BY position"
)
_SEALING_KEYS: Final = "SELECT DISTINCT key_id FROM sealed_contents ORDER BY key_id"
_VIEWED_AT: Final = "SELECT created_at FROM events ORDER BY position DESC LIMIT 1"


def _action(connection: sqlite3.Connection, query: queries.ActionById) -> Action | None:
    row = connection.execute(_ACTION, (query.action_id, query.org_id)).fetchone()
    return None if row is None else rows.action(row)


def _actions(connection: sqlite3.Connection, query: queries.ActionsOf) -> Page[Action]:
    org_id, asked = query.org_id, query.query
    page, total = action_lists.page(org_id, asked), action_lists.total(org_id, asked)
    return _page(connection, asked, rows.action, page=page, total=total)


def _orgs(connection: sqlite3.Connection, query: queries.Orgs) -> Page[Org]:
    asked = query.query
    page, total = org_lists.page(asked), org_lists.total(asked)
    return _page(connection, asked, rows.org, page=page, total=total)


def _flow(connection: sqlite3.Connection, query: queries.FlowOf) -> FlowRead:
    with _at_one_moment(connection):
        flow = _flow_alone(connection, query.org_id, query.type)
        actions = {} if flow is None else _actions_by_id(connection, flow.action_ids)
    return FlowRead(flow, actions)


def _active_actions(
    connection: sqlite3.Connection, query: queries.ActiveActions, *, most: int | None = None
) -> Sequence[Action] | object:
    with _at_one_moment(connection):
        flow = _flow_alone(connection, query.org_id, query.type)
        ids = () if flow is None else flow.actions_of(query.trigger)
        if most is not None and len(ids) > most:
            return NOT_QUICK
        actions = _actions_by_id(connection, ids)
    found = (actions[id] for id in ids)
    return [action for action in found if action.state is ActionState.ACTIVE]


def _org_id_by_name(connection: sqlite3.Connection, query: queries.OrgIdByName) -> str | None:
    row = connection.execute(_NAME_OWNER, org_name(query.name)).fetchone()
    return None if row is None else str(row[0])


def _ended_orgs(connection: sqlite3.Connection, _: queries.EndedOrgs) -> Sequence[EndedOrg]:
    return [EndedOrg(*row) for row in connection.execute(tables.ENDED_ORGS)]


def _signing_keys(connection: sqlite3.Connection, _: queries.SigningKeys) -> Sequence[SigningKey]:
    return [SigningKey(*row) for row in connection.execute(_SIGNING_KEYS)]


def _org_footprint(connection: sqlite3.Connection, query: queries.OrgFootprint) -> Footprint:
    whose = {"org_id": query.org_id}
    with _at_one_moment(connection):
        counts = {
            kind: connection.execute(f"SELECT count(*) {those}", whose).fetchone()[0]
            for kind, those in tables.GOING_WITH_ORG.items()
        }
    return Footprint(
        *(counts["action"], counts["user"], counts["member"], counts["token"]),
        counts["machine_key"],
    )


def _org_remains(connection: sqlite3.Connection, query: queries.OrgRemains) -> Sequence[Key]:
    values = {"org_id": query.org_id, "limit": query.limit}
    for kind, those in tables.GOING_WITH_ORG.items():
        chars = "length(script)" if kind == "action" else "0"
        found = connection.execute(f"SELECT id, {chars} {those} LIMIT :limit", values).fetchall()
        if found:
            sums = accumulate(row[1] for row in found)
            fitting = sum(so_far <= query.chars_max for so_far in sums)
            return [(kind, row[0]) for row in found[: fitting or 1]]
    return ()


def _sealed_content(connection: sqlite3.Connection, query: queries.SealedContent) -> Sealed | None:
    row = connection.execute(_CONTENT, (query.value_id,)).fetchone()
    return None if row is None else Sealed(*row)


def _without_content(
    connection: sqlite3.Connection, query: queries.ValuesWithoutContent
) -> Sequence[str]:
    return [id for (id,) in connection.execute(_WITHOUT_CONTENT, (query.org_id, query.purpose))]


def _sealing_keys(connection: sqlite3.Connection, _: queries.SealingKeys) -> Sequence[str]:
    return [key_id for (key_id,) in connection.execute(_SEALING_KEYS)]


def _one(
    kind: type[State],
    condition: str,
    values: Callable[[Any], Row] = lambda _: (),
) -> QueryAnswer:
    """Returns an answer: the state of a row, or None."""
    table = tables.BY_STATE[kind]
    sql, to_state = select(table.name, kind, condition), table.to_state

    def answer(connection: sqlite3.Connection, query: object) -> State | None:
        row = connection.execute(sql, values(query)).fetchone()
        return None if row is None else to_state(row)

    return answer


def _all(
    kind: type[State],
    condition: str,
    values: Callable[[Any], Row] = lambda _: (),
) -> QueryAnswer:
    """Returns an answer: the states of all rows, in order of creation."""
    table = tables.BY_STATE[kind]
    sql = select(table.name, kind, f"{condition} ORDER BY position")

    def answer(connection: sqlite3.Connection, query: object) -> Sequence[State]:
        return [table.to_state(row) for row in connection.execute(sql, values(query)).fetchall()]

    return answer


QUICK: Final[Mapping[type[Query[Any]], QueryAnswer]] = {
    queries.ActionById: _action,
    queries.ActiveActions: partial(_active_actions, most=TRIGGER_AT_ONCE_MAX),
    queries.OrgById: _one(Org, "id = ?", lambda query: (query.org_id,)),
    queries.OrgIdByName: _org_id_by_name,
    queries.FirstOrg: _one(Org, "true ORDER BY position LIMIT 1"),
    queries.UserById: _one(User, "id = ?", lambda query: (query.user_id,)),
    queries.UserBySubject: _one(
        User, "subject = ? AND subject <> ''", lambda query: (query.subject,)
    ),
    queries.MemberOf: _one(
        Member, "id = ?", lambda query: (member_id(query.org_id, query.user_id),)
    ),
    queries.MembershipsOf: _all(Member, "user_id = ?", lambda query: (query.user_id,)),
    queries.TokenById: _one(Token, "id = ?", lambda query: (query.token_id,)),
    queries.TokenByHash: _one(Token, "secret_hash = ?", lambda query: (query.secret_hash,)),
    queries.MachineKeyById: _one(MachineKey, "id = ?", lambda query: (query.key_id,)),
    queries.MachineKeyByVerifier: _one(MachineKey, "verifier = ?", lambda query: (query.verifier,)),
    queries.SealedContent: _sealed_content,
}
"""Answers that take microseconds, or are `NOT_QUICK`, by type of query."""

ANSWERS: Final[Mapping[type[Query[Any]], QueryAnswer]] = {
    **QUICK,
    queries.ActionsOf: _actions,
    queries.FlowOf: _flow,
    queries.ActiveActions: _active_actions,
    queries.AllOrgs: _all(Org, "true"),
    queries.Orgs: _orgs,
    queries.EndedOrgs: _ended_orgs,
    queries.OrgFootprint: _org_footprint,
    queries.SigningKeys: _signing_keys,
    queries.OrgRemains: _org_remains,
    queries.UsersOf: _all(User, "org_id = ?", lambda query: (query.org_id,)),
    queries.MembersOf: _all(Member, "org_id = ?", lambda query: (query.org_id,)),
    queries.InstanceOwners: _all(Member, f"instr(roles, '\"{IAM_OWNER}\"')"),
    queries.TokensOf: _all(Token, "user_id = ?", lambda query: (query.user_id,)),
    queries.MachineKeysOf: _all(MachineKey, "user_id = ?", lambda query: (query.user_id,)),
    queries.SealedValuesOf: _all(
        SealedValue,
        "org_id = ? AND purpose = ?",
        lambda query: (query.org_id, query.purpose),
    ),
    queries.ValuesWithoutContent: _without_content,
    queries.SealingKeys: _sealing_keys,
}
"""All answers, by type of query."""


def _page(
    connection: sqlite3.Connection,
    asked: ActionsQuery | OrgsQuery,
    to_state: Callable[[Row], S],
    *,
    page: Statement,
    total: Statement,
) -> Page[S]:
    """Reads a page with one row more than it has, and counts the matches unless it is the last."""
    with _at_one_moment(connection):
        found = connection.execute(*page).fetchall()
        items = found[: asked.limit or None]
        is_last_page = len(items) == len(found) and (found or not asked.offset)
        if asked.filters and is_last_page:
            count = asked.offset + len(items)
        else:
            (count,) = connection.execute(*total).fetchone() or (0,)
        (viewed_at,) = connection.execute(_VIEWED_AT).fetchone() or (0,)
    return Page([to_state(row) for row in items], count, viewed_at)


@contextlib.contextmanager
def _at_one_moment(connection: sqlite3.Connection) -> Iterator[None]:
    """Makes all reads inside see one snapshot, whatever is committed meanwhile."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def _flow_alone(connection: sqlite3.Connection, org_id: str, type: int) -> Flow | None:
    row = connection.execute(_FLOW, (flow_id(org_id, type),)).fetchone()
    return None if row is None else rows.flow(row)


def _actions_by_id(connection: sqlite3.Connection, ids: Collection[str]) -> dict[str, Action]:
    actions: dict[str, Action] = {}
    for some in tables.chunks([*ids]):
        for row in connection.execute(tables.TABLES["action"].loads[len(some)], some):
            actions[row[0]] = rows.action(row)
    return actions
