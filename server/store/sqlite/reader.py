"""What is asked of the store: a connection that only reads.

A point read costs microseconds, a list what it is long; who calls decides on which thread.
"""

import contextlib
import secrets
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

from server.domain.action import Action, ActionState
from server.domain.aggregates import Key, org_name
from server.domain.events import RecordedEvent
from server.domain.flow import Flow, flow_id
from server.domain.org import IAM_OWNER, Member, Org, member_id
from server.domain.user import Token, User
from server.store.contract import Contents, EndedOrg, FlowRead, Page
from server.store.queries import ActionsQuery
from server.store.runs import RunsPage, RunsQuery
from server.store.sqlite import listing, rows, tables
from server.store.sqlite import runs as run_log
from server.store.sqlite.connect import Access, connect, storage
from server.store.sqlite.tables import MACHINE_IDS, SELECT_EVENTS, select

_ACTION: Final = select("actions", Action, "id = ? AND org_id = ?")
_FLOW: Final = select("flows", Flow, "id = ?")
_ORG: Final = select("orgs", Org, "id = ?")
_NAME_OWNER: Final = "SELECT owner FROM names WHERE scope = ? AND org_id = ? AND name = ?"
_FIRST_ORG: Final = select("orgs", Org, "true ORDER BY position LIMIT 1")
_ORGS: Final = select("orgs", Org, "true ORDER BY position")
_USER: Final = select("users", User, "id = ?")
_USER_BY_SUBJECT: Final = select("users", User, "subject = ? AND subject <> ''")
_USERS: Final = select("users", User, "org_id = ? ORDER BY position")
_MEMBER: Final = select("members", Member, "id = ?")
_MEMBERS: Final = select("members", Member, "org_id = ? ORDER BY position")
_MEMBERSHIPS: Final = select("members", Member, "user_id = ? ORDER BY position")
_INSTANCE_OWNERS: Final = select(
    "members", Member, f"instr(roles, '\"{IAM_OWNER}\"') ORDER BY position"
)
_TOKEN: Final = select("tokens", Token, "id = ?")
_TOKEN_BY_HASH: Final = select("tokens", Token, "secret_hash = ?")
_TOKENS: Final = select("tokens", Token, "user_id = ? ORDER BY position")
_LAST_MACHINE_ID: Final = "SELECT last FROM machine_ids"
_LAST_EVENT_AT: Final = "SELECT created_at FROM events ORDER BY position DESC LIMIT 1"


class Reader:
    def __init__(self, path: Path, *, access: Access = Access.SHARED) -> None:
        self._path = path
        with storage(path):
            self._connection = connect(path, writes=False, access=access)
            # Takes part in the write-ahead log from now on, also while nobody writes.
            self._connection.execute(_LAST_EVENT_AT).fetchone()

    def close(self) -> None:
        self._connection.close()

    def action(self, org_id: str, action_id: str) -> Action | None:
        found = self._one(_ACTION, (action_id, org_id))
        return None if found is None else rows.action(found)

    def actions(self, org_id: str, query: ActionsQuery) -> Page:
        with self._at_one_moment() as connection:
            found = connection.execute(*listing.page(org_id, query)).fetchall()
            items = found[: query.limit or None]
            is_last_page = len(items) == len(found) and (found or not query.offset)
            if query.filters and is_last_page:
                total = query.offset + len(items)
            else:
                (total,) = connection.execute(*listing.total(org_id, query)).fetchone() or (0,)
            (viewed_at,) = connection.execute(_LAST_EVENT_AT).fetchone() or (0,)
        return Page([rows.action(row) for row in items], total, viewed_at)

    def flow(self, org_id: str, type: int) -> FlowRead:
        with self._at_one_moment() as connection:
            flow = _flow(connection, org_id, type)
            actions = {} if flow is None else _actions(connection, flow.action_ids)
        return FlowRead(flow, actions)

    def active_actions(
        self, org_id: str, type: int, trigger: int, *, most: int | None = None
    ) -> Sequence[Action] | None:
        """Those of a trigger, in their order; None if it has more than `most`, active or not."""
        with self._at_one_moment() as connection:
            flow = _flow(connection, org_id, type)
            ids = () if flow is None else flow.actions_of(trigger)
            if most is not None and len(ids) > most:
                return None
            actions = _actions(connection, ids)
        found = (actions[id] for id in ids)
        return [action for action in found if action.state is ActionState.ACTIVE]

    def oldest_run_at(self) -> int | None:
        with storage(self._path):
            return run_log.oldest_at(self._connection)

    def runs(self, org_id: str, query: RunsQuery) -> RunsPage:
        with storage(self._path):
            return run_log.page(self._connection, org_id, query)

    def org(self, org_id: str) -> Org | None:
        found = self._one(_ORG, (org_id,))
        return None if found is None else rows.org(found)

    def org_id_by_name(self, name: str) -> str | None:
        found = self._one(_NAME_OWNER, org_name(name))
        return None if found is None else str(found[0])

    def first_org(self) -> Org | None:
        found = self._one(_FIRST_ORG, ())
        return None if found is None else rows.org(found)

    def orgs(self) -> Sequence[Org]:
        return [rows.org(row) for row in self._all(_ORGS, ())]

    def ended_orgs(self) -> Sequence[EndedOrg]:
        return [EndedOrg(*row) for row in self._all(tables.ENDED_ORGS, ())]

    def contents(self, org_id: str) -> Contents:
        whose = {"org_id": org_id}
        with self._at_one_moment() as connection:
            counts = {
                kind: connection.execute(f"SELECT count(*) {those}", whose).fetchone()[0]
                for kind, those in tables.GOING_WITH_ORG.items()
            }
        return Contents(counts["action"], counts["user"], counts["member"], counts["token"])

    def some_contents(self, org_id: str, limit: int, chars_max: int) -> Sequence[Key]:
        for kind, those in tables.GOING_WITH_ORG.items():
            chars = "length(script)" if kind == "action" else "0"
            found = self._all(
                f"SELECT id, {chars} {those} LIMIT :limit", {"org_id": org_id, "limit": limit}
            )
            if found:
                sums = accumulate(row[1] for row in found)
                fitting = sum(so_far <= chars_max for so_far in sums)
                return [(kind, row[0]) for row in found[: fitting or 1]]
        return ()

    def user(self, user_id: str) -> User | None:
        found = self._one(_USER, (user_id,))
        return None if found is None else rows.user(found)

    def user_by_subject(self, subject: str) -> User | None:
        found = self._one(_USER_BY_SUBJECT, (subject,))
        return None if found is None else rows.user(found)

    def users(self, org_id: str) -> Sequence[User]:
        return [rows.user(row) for row in self._all(_USERS, (org_id,))]

    def member(self, org_id: str, user_id: str) -> Member | None:
        found = self._one(_MEMBER, (member_id(org_id, user_id),))
        return None if found is None else rows.member(found)

    def members(self, org_id: str) -> Sequence[Member]:
        return [rows.member(row) for row in self._all(_MEMBERS, (org_id,))]

    def instance_owners(self) -> Sequence[Member]:
        return [rows.member(row) for row in self._all(_INSTANCE_OWNERS, ())]

    def memberships(self, user_id: str) -> Sequence[Member]:
        return [rows.member(row) for row in self._all(_MEMBERSHIPS, (user_id,))]

    def token(self, token_id: str) -> Token | None:
        found = self._one(_TOKEN, (token_id,))
        return None if found is None else rows.token(found)

    def token_by_hash(self, secret_hash: bytes) -> Token | None:
        found = self._one(_TOKEN_BY_HASH, (secret_hash,))
        return None if found is None else rows.token(found)

    def tokens(self, user_id: str) -> Sequence[Token]:
        return [rows.token(row) for row in self._all(_TOKENS, (user_id,))]

    def events(self, after: int, limit: int) -> Sequence[RecordedEvent]:
        return [rows.event(row) for row in self._all(SELECT_EVENTS, (after, limit))]

    def spare_machine_id(self) -> int:
        """Returns one that is claimed next after at least 16,384 others."""
        (last,) = self._one(_LAST_MACHINE_ID, ()) or (0,)
        return int(last + MACHINE_IDS // 4 + secrets.randbelow(MACHINE_IDS // 2)) % MACHINE_IDS

    def last_event_at(self) -> int:
        (at,) = self._one(_LAST_EVENT_AT, ()) or (0,)
        return int(at)

    def is_empty(self) -> bool:
        return self._one(_LAST_EVENT_AT, ()) is None

    @contextlib.contextmanager
    def _at_one_moment(self) -> Iterator[sqlite3.Connection]:
        """What is read inside agrees with itself, whatever is committed meanwhile."""
        with storage(self._path):
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                self._connection.execute("ROLLBACK")

    def _one(self, sql: str, values: rows.Row) -> rows.Row | None:
        with storage(self._path):
            found: rows.Row | None = self._connection.execute(sql, values).fetchone()
        return found

    def _all(self, sql: str, values: rows.Row | Mapping[str, Any]) -> list[rows.Row]:
        with storage(self._path):
            return self._connection.execute(sql, values).fetchall()


def _flow(connection: sqlite3.Connection, org_id: str, type: int) -> Flow | None:
    row = connection.execute(_FLOW, (flow_id(org_id, type),)).fetchone()
    return None if row is None else rows.flow(row)


def _actions(connection: sqlite3.Connection, ids: Collection[str]) -> dict[str, Action]:
    actions: dict[str, Action] = {}
    for some in tables.chunks([*ids]):
        for row in connection.execute(tables.TABLES["action"].loads[len(some)], some):
            actions[row[0]] = rows.action(row)
    return actions
