"""Flows in SQLite, also those that an older version wrote."""

import sqlite3
from contextlib import closing
from pathlib import Path

from server.commands.actions import DeleteAction
from server.commands.flows import ClearFlow, SetTriggerActions
from server.commands.orgs import CreateOrg
from server.domain.flow import Flow
from server.store.read_model import FlowOf
from server.store.sqlite import schema
from server.store.sqlite.store import SqliteEventStore
from server.store.versions import versions_of
from server.triggers import FlowType, TriggerType
from tests.contract.stores import an_action, commit

_LAST_SET = 6
"""The version that added what a client last set."""

_LATER_TABLES = (
    *("action_counts", "machine_keys", "signing_keys"),
    *("sealed_values", "sealed_contents"),
)
"""The tables that later versions added."""


def set_(type: int, trigger: int, *ids: str, org_id: str = "org") -> SetTriggerActions:
    return SetTriggerActions(org_id, FlowType(type), TriggerType(trigger), ids, "")


async def flows(store: SqliteEventStore) -> list[Flow | None]:
    return [
        (await store.read(FlowOf(org_id, type))).flow
        for org_id in ("org", "other")
        for type in FlowType
    ]


async def test_actions_last_set_before_an_upgrade_are_read_from_the_events(tmp_path: Path) -> None:
    store = await SqliteEventStore.open(tmp_path)
    await commit(store, CreateOrg("org", "Acme", ""), CreateOrg("other", "Other", ""))
    await commit(store, *(an_action(id) for id in "abc"), an_action("d", org_id="other"))
    await commit(store, set_(2, 5, "a"), set_(2, 4, "c", "a"), set_(2, 4, "b", "a", "c"))
    await commit(store, set_(1, 1, "a"), ClearFlow("org", FlowType(1), ""), set_(1, 2, "b"))
    await commit(store, set_(3, 1, "c"), ClearFlow("org", FlowType(3), ""))
    await commit(store, set_(2, 4, "d", org_id="other"), DeleteAction("org", "a", ""))
    expected = await flows(store)
    await store.close()
    with closing(sqlite3.connect(tmp_path / "events.sqlite", isolation_level=None)) as older:
        for table in _LATER_TABLES:
            older.execute(f"DROP TABLE {table}")
        older.execute("ALTER TABLE flows DROP COLUMN last_set")
        older.execute("DELETE FROM schema_versions WHERE version >= ?", (_LAST_SET,))
    store = await SqliteEventStore.open(tmp_path)
    assert await flows(store) == expected
    assert expected[1] is not None
    assert expected[1].last_set == ((4, ("b", "a", "c")), (5, ("a",)))
    await store.close()
    with closing(sqlite3.connect(tmp_path / "events.sqlite")) as upgraded:
        assert schema.version_of(upgraded, "") == versions_of("server.store.sqlite")[-1].number
