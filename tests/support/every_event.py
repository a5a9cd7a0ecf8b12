"""A store with every kind of event, and all that is in its database."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from server.commands.actions import CreateAction, DeactivateAction, DeleteAction, ReactivateAction
from server.commands.flows import ClearFlow, SetTriggerActions
from server.commands.machine_keys import CreateKey, DeleteKey
from server.commands.orgs import AddMember, CreateOrg, RemoveMember, RenameOrg, SetRoles
from server.commands.removal import RemoveOrg
from server.commands.sealed import DeleteSealed, SetSealed
from server.commands.users import CreateToken, CreateUser, RemoveUser, RevokeToken, UpdateUser
from server.domain.machine_key import KeyKind
from server.domain.sealed import Place, Sealed
from server.store.opening import open_store
from server.store.runs import ActionCounts, LoggedRun
from server.store.signing_keys import SigningKey
from server.triggers import FlowType, TriggerType
from tests.contract.stores import commit
from tests.support.action_commands import create_action, update_action
from tests.support.clocks import NOON, SECOND, HandClock

EVENT_TYPES: Final = {
    "action.added",
    "action.changed",
    "action.deactivated",
    "action.reactivated",
    "action.removed",
    "machine_key.added",
    "machine_key.removed",
    "member.added",
    "member.changed",
    "member.removed",
    "org.added",
    "org.changed",
    "org.flow.cleared",
    "org.flow.trigger_actions.cascade.removed",
    "org.flow.trigger_actions.set",
    "org.removed",
    "sealed.added",
    "sealed.changed",
    "sealed.removed",
    "token.added",
    "token.removed",
    "user.added",
    "user.changed",
    "user.removed",
}

_NOT_FOLLOWING: Final = (
    *("action_counts", "machine_ids", "runs", "run_actions", "run_totals", "schema_versions"),
    "signing_keys",
    "sealed_contents",
)

_TOKEN, _LOGIN = FlowType.CUSTOMISE_TOKEN, FlowType.INTERNAL_AUTHENTICATION
_PRE_USERINFO, _POST_AUTH = TriggerType.PRE_USERINFO_CREATION, TriggerType.POST_AUTHENTICATION
_KEPT, _GONE = Place("o", "secret", "KEPT"), Place("o", "secret", "GONE")
_SEALED: Final = Sealed("a key", b"sealed")
_ROLES, _OTHER_ROLES = ("ORG_OWNER",), ("ORG_OWNER_VIEWER", "ORG_ACTION_RUNNER")


def _set(org_id: str, *ids: str) -> SetTriggerActions:
    return SetTriggerActions(org_id, _TOKEN, _PRE_USERINFO, ids, "ada")


def _greeting(id: str) -> CreateAction:
    return create_action(
        "o", id, f"Greet\0{id}", f"// {id}", timeout_ns=7, allowed_to_fail=True, editor="ada"
    )


async def fill(folder: Path, *, database: str = "") -> None:
    """Makes a store in which each kind of event has happened, some to what had ended."""
    clock = HandClock()
    store = await open_store(folder, database=database, clock=clock)
    for commands in (
        (CreateOrg("o", "Acme", ""), CreateUser("o", "ada", "Ada", "", "de", "ada@issuer")),
        (CreateOrg("p", "Other", ""), CreateUser("o", "bob", "Bob", "")),
        (AddMember("o", "ada", _ROLES, ""), AddMember("p", "bob", _ROLES, "")),
        (CreateToken("o", "ada", "t1", b"\x01" * 32, "laptop", 2 * NOON, ""),),
        (CreateToken("o", "ada", "t2", b"\x02" * 32, "", None, ""), RevokeToken("t1", "")),
        (CreateToken("o", "bob", "t3", b"\x03" * 32, "", None, ""),),
        [_greeting(id) for id in "123456"],
        [create_action("p", id, f"greet {id}") for id in "789"],
        (_set("o", "1", "2", "3"), _set("p", "7"), DeactivateAction("o", "1", "ada")),
        (SetTriggerActions("o", _LOGIN, _POST_AUTH, ("2",), ""), DeactivateAction("o", "2", "")),
        (DeleteAction("o", "2", "ada"), ReactivateAction("o", "1", "ada")),
        (ClearFlow("o", _LOGIN, ""), RenameOrg("o", "ACME", "")),
        (SetTriggerActions("o", _LOGIN, _POST_AUTH, ("3",), ""), ClearFlow("o", _TOKEN, "")),
        (update_action("o", "3", "İstanbul", "script", timeout_ns=20_000_000_000),),
        (create_action("o", "10", "GREET\x002"), _set("o", "10")),
        (UpdateUser("o", "ada", "Eve", "", "", ""), SetRoles("o", "ada", _OTHER_ROLES, None, "")),
        (RemoveMember("o", "ada", None, ""), AddMember("o", "ada", _ROLES, "")),
        (RemoveMember("p", "bob", None, ""),),
        (AddMember("p", "bob", _ROLES, ""), UpdateUser("o", "bob", None, None, "ada@issuer", "")),
        (AddMember("o", "bob", _ROLES, ""), RemoveUser("bob", None, "")),
        (CreateOrg("q", "other 2", ""), RemoveOrg("p", None, "")),
        (CreateKey("o", "ada", "k1", KeyKind.JSON, b"\x01public", 3 * NOON, ""),),
        (CreateKey("o", "ada", "k2", KeyKind.CLIENT_SECRET, b"\x02" * 32, None, ""),),
        (DeleteKey("k1", ""),),
        (SetSealed(_KEPT, _SEALED, 9, ""), SetSealed(_GONE, _SEALED, 9, "")),
        (SetSealed(_KEPT, _SEALED, 9, "ada"), DeleteSealed(_GONE, "ada")),
    ):  # fmt: skip
        clock.now += SECOND
        await commit(store, *commands)
    run = LoggedRun("o", 2, 4, NOON, (("1", False), ("10", True)), b"content")
    counts = ActionCounts("o", "10", "greet", 1, 1, 1, 0, 5, 9)
    await store.append_runs([run], [counts], since=0, max_bytes=1 << 20)
    await store.claim_machine_id()
    await store.publish_signing_key(SigningKey("s1", b"public", 2 * NOON), now=NOON)
    await store.close()


def following_rows(folder: Path) -> dict[str, list[Any]]:
    """Returns all rows of the tables that follow from events, and the events."""
    return {table: found for table, found in rows(folder).items() if table not in _NOT_FOLLOWING}


def rows(folder: Path) -> dict[str, list[Any]]:
    """Returns all rows of all tables."""
    with closing(sqlite3.connect(folder / "events.sqlite")) as database:
        names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: database.execute(f"SELECT * FROM {name}").fetchall()  # noqa: S608
            for (name,) in names
        }
