"""Answers the queries of the read model from the tables of current states.

Rule: an answer that takes two statements reads both in one transaction.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
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
from server.store.postgres import action_lists, org_lists, rows, tables
from server.store.postgres.action_lists import Statement
from server.store.postgres.connect import Connection
from server.store.postgres.tables import select
from server.store.read_model import EndedOrg, FlowRead, Footprint, Page, Query
from server.store.signing_keys import SigningKey

S = TypeVar("S", bound=State)

QueryAnswer: TypeAlias = Callable[[Connection, Any], Awaitable[Any]]
"""Takes a query, and returns its answer."""

_ACTION: Final = select("actions", Action, "id = $1 AND org_id = $2")
_ACTIONS: Final = select("actions", Action, "id = ANY($1::text[])")
_FLOW: Final = select("flows", Flow, "id = $1")
_ORG_ID: Final = "SELECT owner FROM names WHERE scope = $1 AND org_id = $2 AND name = $3"
_SIGNING_KEYS: Final = "SELECT id, public_key, expires_at FROM signing_keys ORDER BY id"
_CONTENT: Final = "SELECT key_id, content FROM sealed_contents WHERE id = $1"
_WITHOUT_CONTENT: Final = (
    "SELECT id FROM sealed_values WHERE org_id = $1 AND purpose = $2"
    " AND NOT EXISTS (SELECT FROM sealed_contents AS content WHERE content.id = sealed_values.id)"
    " ORDER BY position"
)
_SEALING_KEYS: Final = "SELECT DISTINCT key_id FROM sealed_contents ORDER BY key_id"
_VIEWED_AT: Final = "SELECT created_at FROM events ORDER BY position DESC LIMIT 1"


async def _action(connection: Connection, query: queries.ActionById) -> Action | None:
    row = await connection.fetchrow(_ACTION, query.action_id, query.org_id)
    return None if row is None else rows.action(row)


async def _actions(connection: Connection, query: queries.ActionsOf) -> Page[Action]:
    org_id, asked = query.org_id, query.query
    page, total = action_lists.page(org_id, asked), action_lists.total(org_id, asked)
    return await _page(connection, asked, rows.action, page=page, total=total)


async def _orgs(connection: Connection, query: queries.Orgs) -> Page[Org]:
    asked = query.query
    page, total = org_lists.page(asked), org_lists.total(asked)
    return await _page(connection, asked, rows.org, page=page, total=total)


async def _flow(connection: Connection, query: queries.FlowOf) -> FlowRead:
    async with _at_one_moment(connection):
        flow = await _flow_alone(connection, query.org_id, query.type)
        actions = {} if flow is None else await _actions_by_id(connection, flow.action_ids)
    return FlowRead(flow, actions)


async def _active_actions(connection: Connection, query: queries.ActiveActions) -> Sequence[Action]:
    async with _at_one_moment(connection):
        flow = await _flow_alone(connection, query.org_id, query.type)
        ids = () if flow is None else flow.actions_of(query.trigger)
        actions = await _actions_by_id(connection, ids)
    found = (actions[id] for id in ids)
    return [action for action in found if action.state is ActionState.ACTIVE]


async def _org_id_by_name(connection: Connection, query: queries.OrgIdByName) -> str | None:
    scope, org_id, name = org_name(query.name)
    found: str | None = await connection.fetchval(_ORG_ID, scope, org_id, name.encode())
    return found


async def _ended_orgs(connection: Connection, _: queries.EndedOrgs) -> Sequence[EndedOrg]:
    return [EndedOrg(*row) for row in await connection.fetch(tables.ENDED_ORGS)]


async def _signing_keys(connection: Connection, _: queries.SigningKeys) -> Sequence[SigningKey]:
    return [SigningKey(*row) for row in await connection.fetch(_SIGNING_KEYS)]


async def _org_footprint(connection: Connection, query: queries.OrgFootprint) -> Footprint:
    async with _at_one_moment(connection):
        counts = {
            kind: await connection.fetchval(f"SELECT count(*) {those}", query.org_id)
            for kind, those in tables.GOING_WITH_ORG.items()
        }
    return Footprint(
        *(counts["action"], counts["user"], counts["member"], counts["token"]),
        counts["machine_key"],
    )


async def _org_remains(connection: Connection, query: queries.OrgRemains) -> Sequence[Key]:
    for kind, those in tables.GOING_WITH_ORG.items():
        size = "length(script)" if kind == "action" else "0"
        sql = f"SELECT id, {size} {those} LIMIT $2"
        found = await connection.fetch(sql, query.org_id, query.limit)
        if found:
            sums = accumulate(row[1] for row in found)
            fitting = sum(so_far <= query.chars_max for so_far in sums)
            return [(kind, row[0]) for row in found[: fitting or 1]]
    return ()


async def _sealed_content(connection: Connection, query: queries.SealedContent) -> Sealed | None:
    row = await connection.fetchrow(_CONTENT, query.value_id)
    return None if row is None else Sealed(*row)


async def _without_content(
    connection: Connection, query: queries.ValuesWithoutContent
) -> Sequence[str]:
    found = await connection.fetch(_WITHOUT_CONTENT, query.org_id, query.purpose.encode())
    return [row[0] for row in found]


async def _sealing_keys(connection: Connection, _: queries.SealingKeys) -> Sequence[str]:
    return [row[0] for row in await connection.fetch(_SEALING_KEYS)]


def _one(
    kind: type[State],
    condition: str,
    values: Callable[[Any], Row] = lambda _: (),
) -> QueryAnswer:
    """Returns an answer: the state of a row, or None."""
    table = tables.BY_STATE[kind]
    sql, to_state = select(table.name, kind, condition), table.to_state

    async def answer(connection: Connection, query: object) -> State | None:
        row = await connection.fetchrow(sql, *values(query))
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

    async def answer(connection: Connection, query: object) -> Sequence[State]:
        return [table.to_state(row) for row in await connection.fetch(sql, *values(query))]

    return answer


ANSWERS: Final[Mapping[type[Query[Any]], QueryAnswer]] = {
    queries.ActionById: _action,
    queries.ActionsOf: _actions,
    queries.FlowOf: _flow,
    queries.ActiveActions: _active_actions,
    queries.OrgById: _one(Org, "id = $1", lambda query: (query.org_id,)),
    queries.OrgIdByName: _org_id_by_name,
    queries.FirstOrg: _one(Org, "true ORDER BY position LIMIT 1"),
    queries.AllOrgs: _all(Org, "true"),
    queries.Orgs: _orgs,
    queries.EndedOrgs: _ended_orgs,
    queries.OrgFootprint: _org_footprint,
    queries.SigningKeys: _signing_keys,
    queries.OrgRemains: _org_remains,
    queries.UserById: _one(User, "id = $1", lambda query: (query.user_id,)),
    queries.UserBySubject: _one(
        User, "subject = $1 AND subject <> ''", lambda query: (query.subject.encode(),)
    ),
    queries.UsersOf: _all(User, "org_id = $1", lambda query: (query.org_id,)),
    queries.MemberOf: _one(
        Member, "id = $1", lambda query: (member_id(query.org_id, query.user_id),)
    ),
    queries.MembersOf: _all(Member, "org_id = $1", lambda query: (query.org_id,)),
    queries.InstanceOwners: _all(Member, f"position('\"{IAM_OWNER}\"' IN roles) > 0"),
    queries.MembershipsOf: _all(Member, "user_id = $1", lambda query: (query.user_id,)),
    queries.TokenById: _one(Token, "id = $1", lambda query: (query.token_id,)),
    queries.TokenByHash: _one(Token, "secret_hash = $1", lambda query: (query.secret_hash,)),
    queries.MachineKeyById: _one(MachineKey, "id = $1", lambda query: (query.key_id,)),
    queries.MachineKeyByVerifier: _one(
        MachineKey, "verifier = $1", lambda query: (query.verifier,)
    ),
    queries.TokensOf: _all(Token, "user_id = $1", lambda query: (query.user_id,)),
    queries.MachineKeysOf: _all(MachineKey, "user_id = $1", lambda query: (query.user_id,)),
    queries.SealedContent: _sealed_content,
    queries.SealedValuesOf: _all(
        SealedValue,
        "org_id = $1 AND purpose = $2",
        lambda query: (query.org_id, query.purpose.encode()),
    ),
    queries.ValuesWithoutContent: _without_content,
    queries.SealingKeys: _sealing_keys,
}
"""By type of query."""


async def _page(
    connection: Connection,
    asked: ActionsQuery | OrgsQuery,
    to_state: Callable[[Row], S],
    *,
    page: Statement,
    total: Statement,
) -> Page[S]:
    """Reads a page with one row more than it has, and counts the matches unless it is the last."""
    async with _at_one_moment(connection):
        found = await connection.fetch(page.sql, *page.values)
        items = found[: asked.limit or None]
        is_last_page = len(items) == len(found) and (found or not asked.offset)
        if asked.filters and is_last_page:
            count = asked.offset + len(items)
        else:
            count = await connection.fetchval(total.sql, *total.values) or 0
        viewed_at = await connection.fetchval(_VIEWED_AT) or 0
    return Page([to_state(row) for row in items], count, viewed_at)


@contextlib.asynccontextmanager
async def _at_one_moment(connection: Connection) -> AsyncIterator[None]:
    """Makes all reads inside see one snapshot, whatever is committed meanwhile."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        yield


async def _flow_alone(connection: Connection, org_id: str, type: int) -> Flow | None:
    row = await connection.fetchrow(_FLOW, flow_id(org_id, type))
    return None if row is None else rows.flow(row)


async def _actions_by_id(connection: Connection, ids: Collection[str]) -> dict[str, Action]:
    return {row["id"]: rows.action(row) for row in await connection.fetch(_ACTIONS, [*ids])}
