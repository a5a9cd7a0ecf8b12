"""Each row of docs/api.md "Writes of actions", over each protocol.

Rows that `validate.rules` answer first are rows of the domain: tests/unit/server.
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest
from google.protobuf.message import Message

from tests.support.api_client import Caller
from tests.support.api_rows import Prepare, Refused, Row, assert_refused
from tests.support.prepared import action, inactive_action, removed_action
from zitadel import management_pb2 as pb

SUBJECT = "Writes of actions"

refused = Refused()

IdOf: TypeAlias = Callable[[Caller, Caller], Awaitable[str]]
"""Makes or picks the id of an action, as a caller and as one of another organisation."""


@refused("V3-DKcYh create, name taken", 6, "Errors.Action.AlreadyExists")
async def _(caller: Caller, stranger: Caller) -> Message:
    await action(caller, "Greet Ä")
    return pb.CreateActionRequest(name="gREET ä", script="s")


@refused("V3-DKcYh create, name taken by an inactive action", 6, "Errors.Action.AlreadyExists")
async def _(caller: Caller, stranger: Caller) -> Message:
    await inactive_action(caller)
    return pb.CreateActionRequest(name="greet", script="s")


@refused("ACTION-dg4t2 nothing changes", 9, "No changes")
async def _(caller: Caller, stranger: Caller) -> Message:
    return pb.UpdateActionRequest(id=await action(caller), name="greet", script="s")


@refused("V3-DKcYh update, new name taken", 6, "Errors.Action.AlreadyExists")
async def _(caller: Caller, stranger: Caller) -> Message:
    await action(caller, "Wave")
    return pb.UpdateActionRequest(id=await action(caller), name="wAVE", script="s")


@refused("COMMAND-Dgj92 inactive already", 9, "Action is not active")
async def _(caller: Caller, stranger: Caller) -> Message:
    return pb.DeactivateActionRequest(id=await inactive_action(caller))


@refused("COMMAND-J53zh active already", 9, "Action is not inactive")
async def _(caller: Caller, stranger: Caller) -> Message:
    return pb.ReactivateActionRequest(id=await action(caller))


async def no_id(caller: Caller, stranger: Caller) -> str:
    return ""


async def absent(caller: Caller, stranger: Caller) -> str:
    return "1"


async def removed(caller: Caller, stranger: Caller) -> str:
    return await removed_action(caller)


async def foreign(caller: Caller, stranger: Caller) -> str:
    return await action(stranger)


async def foreign_inactive(caller: Caller, stranger: Caller) -> str:
    return await inactive_action(stranger)


def update(*, id: str) -> Message:
    return pb.UpdateActionRequest(id=id, name="n", script="s")


NO_ID = "ID missing"
NOT_FOUND = "Action not found"
REFUSED_FOR_THE_ID: list[tuple[str, int, str, Callable[..., Message], IdOf]] = [
    ("COMMAND-Sfg2t absent", 5, NOT_FOUND, update, absent),
    ("COMMAND-Sfg2t removed", 5, NOT_FOUND, update, removed),
    ("COMMAND-Sfg2t of another organisation", 5, NOT_FOUND, update, foreign),
    ("COMMAND-DAhk5 empty id", 3, NO_ID, pb.DeactivateActionRequest, no_id),
    ("COMMAND-NRmhu absent", 5, NOT_FOUND, pb.DeactivateActionRequest, absent),
    ("COMMAND-NRmhu removed", 5, NOT_FOUND, pb.DeactivateActionRequest, removed),
    ("COMMAND-NRmhu of another organisation", 5, NOT_FOUND, pb.DeactivateActionRequest, foreign),
    ("COMMAND-BNm56 empty id", 3, NO_ID, pb.ReactivateActionRequest, no_id),
    ("COMMAND-Aa22g absent", 5, NOT_FOUND, pb.ReactivateActionRequest, absent),
    ("COMMAND-Aa22g removed", 5, NOT_FOUND, pb.ReactivateActionRequest, removed),
    (
        "COMMAND-Aa22g of another organisation",
        5,
        NOT_FOUND,
        pb.ReactivateActionRequest,
        foreign_inactive,
    ),
    ("COMMAND-Gfg3g empty id", 3, NO_ID, pb.DeleteActionRequest, no_id),
    ("COMMAND-Dgh4h absent", 5, NOT_FOUND, pb.DeleteActionRequest, absent),
    ("COMMAND-Dgh4h removed", 5, NOT_FOUND, pb.DeleteActionRequest, removed),
    ("COMMAND-Dgh4h of another organisation", 5, NOT_FOUND, pb.DeleteActionRequest, foreign),
    ("QUERY-GEfnb empty id", 5, NOT_FOUND, pb.GetActionRequest, no_id),
    ("QUERY-GEfnb absent", 5, NOT_FOUND, pb.GetActionRequest, absent),
    ("QUERY-GEfnb removed", 5, NOT_FOUND, pb.GetActionRequest, removed),
    ("QUERY-GEfnb of another organisation", 5, NOT_FOUND, pb.GetActionRequest, foreign),
]


def prepared(request: Callable[..., Message], id_of: IdOf) -> Prepare:
    async def prepare(caller: Caller, stranger: Caller) -> Message:
        return request(id=await id_of(caller, stranger))

    return prepare


for name, code, text, request, id_of in REFUSED_FOR_THE_ID:
    refused(name, code, text)(prepared(request, id_of))


@pytest.mark.parametrize("row", refused.rows)
async def test_refused_call_is_answered_as_the_table_says_and_writes_nothing(
    caller: Caller, stranger: Caller, protocol: str, row: Row
) -> None:
    await assert_refused(caller, stranger, protocol, row)
