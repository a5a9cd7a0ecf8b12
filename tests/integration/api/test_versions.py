"""docs/api.md "Versions", over each protocol: rows of its table, then what it says of versions."""

from typing import Any

import pytest
from google.protobuf.message import Message

from actions.v1 import versions_pb2 as versions
from tests.support.accounts import Accounts
from tests.support.api_client import GRPC, JSON, Caller
from tests.support.api_rows import Refused, Row, assert_refused, refusal
from tests.support.prepared import action, inactive_action, last_event_at, removed_action
from zitadel import action_pb2
from zitadel import management_pb2 as pb

SUBJECT = "Versions"

ADDED, CHANGED = "action.added", "action.changed"
DEACTIVATED, REACTIVATED = "action.deactivated", "action.reactivated"
ACTIVE, INACTIVE = action_pb2.ACTION_STATE_ACTIVE, action_pb2.ACTION_STATE_INACTIVE

refused = Refused()


def list_request(id: str, limit: int = 0, token: str = "") -> versions.ListActionVersionsRequest:
    return versions.ListActionVersionsRequest(action_id=id, limit=limit, page_token=token)


def get_request(id: str, sequence: int) -> versions.GetActionVersionRequest:
    return versions.GetActionVersionRequest(action_id=id, sequence=sequence)


def restore_request(id: str, sequence: int, **fields: Any) -> versions.RestoreActionVersionRequest:
    return versions.RestoreActionVersionRequest(action_id=id, sequence=sequence, **fields)


async def changed_action(caller: Caller) -> str:
    """Makes an action with five versions: its last change made it active again."""
    id = await action(caller, "greet", script="first", timeout={"seconds": 3})
    await caller.get(
        pb.UpdateActionRequest(id=id, name="wave", script="second", allowed_to_fail=True)
    )
    await caller.get(pb.DeactivateActionRequest(id=id))
    await caller.get(
        pb.UpdateActionRequest(id=id, name="wave", script="third", allowed_to_fail=True)
    )
    await caller.get(pb.ReactivateActionRequest(id=id))
    return id


refused.as_they_are(
    {
        (3, "Limit exceeded"): {
            "VERSION-Lx4ce limit 101": list_request("404", 101),
            "VERSION-Lx4ce the largest limit": list_request("404", 2**32 - 1),
        },
        (3, "Page token is invalid"): {
            "VERSION-Pt6gh a number": list_request("404", token="17"),
            "VERSION-Pt6gh text": list_request("404", token="next"),
        },
        (5, "Action not found"): {
            "VERSION-Na3yh list, absent": list_request("404"),
            "VERSION-Na3yh get, absent": get_request("404", 1),
            "VERSION-Na3yh restore, absent": restore_request("404", 1, if_sequence=9),
            "VERSION-Na3yh NUL in the id": list_request("4\0"),
        },
    }
)


@refused("VERSION-Na3yh list, deleted", 5, "Action not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return list_request(await removed_action(caller))


@refused("VERSION-Na3yh get, deleted", 5, "Action not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return get_request(await removed_action(caller), 1)


@refused("VERSION-Na3yh restore, deleted", 5, "Action not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return restore_request(await removed_action(caller), 1)


@refused("VERSION-Na3yh of another organisation", 5, "Action not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return get_request(await action(stranger), 1)


@refused("VERSION-Nv8rs version 0", 5, "Version not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return get_request(await action(caller), 0)


@refused("VERSION-Nv8rs after the last", 5, "Version not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return get_request(await action(caller), 2)


@refused("VERSION-Nv8rs the largest number", 5, "Version not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return get_request(await action(caller), 2**64 - 1)


@refused("VERSION-Nv8rs restore, after the last, before the condition", 5, "Version not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return restore_request(await action(caller), 2, if_sequence=9)


@refused("ACTION-dg4t2 restore, the last", 9, "No changes")
async def _(caller: Caller, stranger: Caller) -> Message:
    return restore_request(await changed_action(caller), 5)


@refused("ACTION-dg4t2 restore, one that the action is like again", 9, "No changes")
async def _(caller: Caller, stranger: Caller) -> Message:
    id = await inactive_action(caller)
    await caller.get(pb.ReactivateActionRequest(id=id))
    return restore_request(id, 1, if_sequence=3)


@refused("V3-DKcYh restore, old name taken", 6, "Errors.Action.AlreadyExists")
async def _(caller: Caller, stranger: Caller) -> Message:
    id = await changed_action(caller)
    await action(caller, "GREET")
    return restore_request(id, 1)


@refused(
    "COMMAND-Sq8ch restore, another sequence, before no changes",
    10,
    "The sequence is 5, expected 4: read it again",
)
async def _(caller: Caller, stranger: Caller) -> Message:
    return restore_request(await changed_action(caller), 5, if_sequence=4)


@refused("COMMAND-Sq8ch restore, sequence 0", 10, "The sequence is 5, expected 0: read it again")
async def _(caller: Caller, stranger: Caller) -> Message:
    return restore_request(await changed_action(caller), 1, if_sequence=0)


@pytest.mark.parametrize("row", refused.rows)
async def test_call_is_refused_and_writes_nothing(
    caller: Caller, stranger: Caller, protocol: str, row: Row
) -> None:
    await assert_refused(caller, stranger, protocol, row)


def seen(version: versions.ActionVersion) -> tuple[object, ...]:
    return (
        version.sequence,
        version.event_type,
        version.name,
        version.script,
        version.timeout.ToSeconds(),
        version.allowed_to_fail,
        version.state,
    )


FIVE = [
    (5, REACTIVATED, "wave", "third", 20, True, ACTIVE),
    (4, CHANGED, "wave", "third", 20, True, INACTIVE),
    (3, DEACTIVATED, "wave", "second", 20, True, INACTIVE),
    (2, CHANGED, "wave", "second", 20, True, ACTIVE),
    (1, ADDED, "greet", "first", 3, False, ACTIVE),
]


@pytest.mark.parametrize("limit", [0, 1, 2, 5, 100])
async def test_versions_are_listed_newest_first_page_by_page(
    caller: Caller, protocol: str, limit: int
) -> None:
    id = await changed_action(caller)
    await action(caller, "other")
    found: list[versions.ActionVersion] = []
    token, pages = "", 0
    while token or not pages:
        answer = await caller.ask(protocol, list_request(id, limit, token))
        assert len(answer.response.versions) <= (limit or 50)
        found += answer.response.versions
        token, pages = answer.response.next_page_token, pages + 1
    assert [seen(version) for version in found] == FIVE
    assert pages == -(-5 // (limit or 50))


async def test_a_version_is_what_the_list_has(caller: Caller, protocol: str) -> None:
    id = await changed_action(caller)
    listed = (await caller.ask(protocol, list_request(id))).response.versions
    for version in listed:
        got = await caller.ask(protocol, get_request(id, version.sequence))
        assert got.response.version == version
        assert "etag" not in got.metadata
    now = (await caller.get(pb.GetActionRequest(id=id))).action
    assert listed[0].changed_at == now.details.change_date
    assert listed[-1].changed_at == now.details.creation_date


async def test_a_version_names_its_editor_while_that_user_exists(
    caller: Caller, accounts: Accounts, protocol: str
) -> None:
    id = await action(caller)
    editor = await accounts.user(caller.org_id, "ORG_OWNER", name="Eve")
    _, token = await accounts.token(editor)
    await Caller(caller.api, token, caller.org_id).get(pb.DeactivateActionRequest(id=id))
    (last, first) = (await caller.ask(protocol, list_request(id))).response.versions
    assert (last.editor_id, last.editor_name) == (editor, "Eve")
    assert first.editor_id not in ("", editor)
    await accounts.remove_user(editor)
    got = (await caller.ask(protocol, get_request(id, 2))).response.version
    assert (got.editor_id, got.editor_name) == (editor, "")


@pytest.mark.parametrize(
    ("sequence", "added"),
    [(1, [CHANGED]), (2, [CHANGED]), (3, [CHANGED, DEACTIVATED]), (4, [DEACTIVATED])],
)
async def test_a_restored_version_is_the_state_of_the_action(
    caller: Caller, protocol: str, sequence: int, added: list[str]
) -> None:
    id = await changed_action(caller)
    answer = await caller.ask(protocol, restore_request(id, sequence, if_sequence=5))
    last = 5 + len(added)
    assert answer.response.details.sequence == last
    assert answer.metadata.get("etag") == (None if protocol == GRPC else f'"{last}"')
    assert answer.response.details.resource_owner == caller.org_id
    listed = (await caller.ask(protocol, list_request(id))).response.versions
    assert [version.event_type for version in listed[: len(added)]] == added[::-1]
    assert seen(listed[0])[2:] == seen(listed[-sequence])[2:]
    now = (await caller.get(pb.GetActionRequest(id=id))).action
    assert (now.name, now.script, now.state) == seen(listed[0])[2:4] + seen(listed[0])[6:]
    assert now.details == answer.response.details


async def test_a_restored_name_is_the_action_s_again(caller: Caller, protocol: str) -> None:
    id = await changed_action(caller)
    assert (await caller.ask(protocol, restore_request(id, 1))).code == 0
    taken = await caller.ask(protocol, pb.CreateActionRequest(name="Greet", script="s"))
    free = await caller.ask(protocol, pb.CreateActionRequest(name="Wave", script="s"))
    assert (taken.code, free.code) == (6, 0)


async def test_restoring_reads_the_headers_of_writes(caller: Caller, protocol: str) -> None:
    id = await changed_action(caller)
    before = await last_event_at(caller)

    async def ask(sequence: int, metadata: dict[str, str], **fields: int) -> Any:
        request = restore_request(id, sequence, **fields)
        return await caller.ask(protocol, request, metadata=metadata)

    gone = await ask(1, {"if-match": '"4"'})
    text = "The sequence is 5, expected 4: read it again"
    assert gone.refusal == refusal(10, text, "COMMAND-Sq8ch")
    assert protocol != JSON or gone.http_status == 412
    by_field = await ask(1, {}, if_sequence=4)
    assert by_field.refusal == gone.refusal
    assert protocol != JSON or by_field.http_status == 409
    both = await ask(1, {"if-match": '"4", "6"'}, if_sequence=5)
    assert both.refusal == (3, "if_sequence: expected a sequence of if-match, got 5", ())
    allowed = await ask(5, {"x-actions-no-change": "ok", "if-match": '"5"'}, if_sequence=5)
    assert (allowed.code, allowed.response.details.sequence) == (0, 5)
    assert await last_event_at(caller) == before


async def test_pages_of_long_scripts_are_short(caller: Caller, protocol: str) -> None:
    script = "/" * 40_000
    id = await action(caller, script=script)
    for number in range(19):
        request: Message = pb.DeactivateActionRequest(id=id)
        if number % 2:
            request = pb.ReactivateActionRequest(id=id)
        await caller.get(request)
    found: list[int] = []
    sizes: list[int] = []
    request_ = list_request(id)
    while not sizes or request_.page_token:
        response = (await caller.ask(protocol, request_)).response
        assert {version.script for version in response.versions} == {script}
        found += (version.sequence for version in response.versions)
        sizes.append(len(response.versions))
        request_.page_token = response.next_page_token
    assert found == [*range(20, 0, -1)]
    assert sizes == [13, 7]
