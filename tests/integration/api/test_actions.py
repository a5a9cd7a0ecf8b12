"""Each row of docs/api.md "Writes of actions", at each door.

Rows that `validate.rules` answer first are rows of the domain: tests/unit/server.
"""

import pytest
from google.protobuf.message import Message

from tests.support.api_rows import Refused, Row, assert_refused
from tests.support.doors import DOORS, Caller
from tests.support.prepared import action, inactive_action, removed_action
from zitadel import management_pb2 as pb

SUBJECT = "Writes of actions"

refused = Refused()


@refused("V3-DKcYh create, name taken", 6, "Errors.Action.AlreadyExists")
async def _(caller: Caller, stranger: Caller) -> Message:
    await action(caller, "Greet Ä")
    return pb.CreateActionRequest(name="gREET ä", script="s")


@refused("V3-DKcYh create, name taken by an inactive action", 6, "Errors.Action.AlreadyExists")
async def _(caller: Caller, stranger: Caller) -> Message:
    await inactive_action(caller)
    return pb.CreateActionRequest(name="greet", script="s")


@refused("COMMAND-Sfg2t absent", 5, "Action not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return pb.UpdateActionRequest(id="1", name="n", script="s")


@refused("COMMAND-Sfg2t removed", 5, "Action not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return pb.UpdateActionRequest(id=await removed_action(caller), name="n", script="s")


@refused("COMMAND-Sfg2t of another organisation", 5, "Action not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return pb.UpdateActionRequest(id=await action(stranger), name="n", script="s")


@refused("ACTION-dg4t2 nothing changes", 9, "No changes")
async def _(caller: Caller, stranger: Caller) -> Message:
    return pb.UpdateActionRequest(id=await action(caller), name="greet", script="s")


@refused("V3-DKcYh update, new name taken", 6, "Errors.Action.AlreadyExists")
async def _(caller: Caller, stranger: Caller) -> Message:
    await action(caller, "Wave")
    return pb.UpdateActionRequest(id=await action(caller), name="wAVE", script="s")


@refused("COMMAND-DAhk5 empty id", 3, "ID missing")
async def _(caller: Caller, stranger: Caller) -> Message:
    return pb.DeactivateActionRequest()


@refused("COMMAND-NRmhu absent", 5, "Action not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return pb.DeactivateActionRequest(id="1")


@refused("COMMAND-NRmhu removed", 5, "Action not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return pb.DeactivateActionRequest(id=await removed_action(caller))


@refused("COMMAND-NRmhu of another organisation", 5, "Action not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return pb.DeactivateActionRequest(id=await action(stranger))


@refused("COMMAND-Dgj92 inactive already", 9, "Action is not active")
async def _(caller: Caller, stranger: Caller) -> Message:
    return pb.DeactivateActionRequest(id=await inactive_action(caller))


@refused("COMMAND-BNm56 empty id", 3, "ID missing")
async def _(caller: Caller, stranger: Caller) -> Message:
    return pb.ReactivateActionRequest()


@refused("COMMAND-Aa22g absent", 5, "Action not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return pb.ReactivateActionRequest(id="1")


@refused("COMMAND-Aa22g removed", 5, "Action not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return pb.ReactivateActionRequest(id=await removed_action(caller))


@refused("COMMAND-Aa22g of another organisation", 5, "Action not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return pb.ReactivateActionRequest(id=await inactive_action(stranger))


@refused("COMMAND-J53zh active already", 9, "Action is not inactive")
async def _(caller: Caller, stranger: Caller) -> Message:
    return pb.ReactivateActionRequest(id=await action(caller))


@refused("COMMAND-Gfg3g empty id", 3, "ID missing")
async def _(caller: Caller, stranger: Caller) -> Message:
    return pb.DeleteActionRequest()


@refused("COMMAND-Dgh4h absent", 5, "Action not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return pb.DeleteActionRequest(id="1")


@refused("COMMAND-Dgh4h removed", 5, "Action not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return pb.DeleteActionRequest(id=await removed_action(caller))


@refused("COMMAND-Dgh4h of another organisation", 5, "Action not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return pb.DeleteActionRequest(id=await action(stranger))


@refused("QUERY-GEfnb empty id", 5, "Action not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return pb.GetActionRequest()


@refused("QUERY-GEfnb absent", 5, "Action not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return pb.GetActionRequest(id="1")


@refused("QUERY-GEfnb removed", 5, "Action not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return pb.GetActionRequest(id=await removed_action(caller))


@refused("QUERY-GEfnb of another organisation", 5, "Action not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return pb.GetActionRequest(id=await action(stranger))


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("row", refused.rows)
async def test_refused_call_is_answered_as_the_table_says_and_writes_nothing(
    caller: Caller, stranger: Caller, door: str, row: Row
) -> None:
    await assert_refused(caller, stranger, door, row)
