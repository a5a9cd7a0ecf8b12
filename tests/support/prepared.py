"""Arranges actions and flows for tests of the API, over gRPC."""

from tests.support.api_client import Caller
from zitadel import management_pb2 as pb


async def action(
    caller: Caller, name: str = "greet", *, script: str = "s", **fields: object
) -> str:
    request = pb.CreateActionRequest(name=name, script=script, **fields)  # type: ignore[arg-type]
    response = await caller.get(request)
    return str(response.id)


async def inactive_action(caller: Caller) -> str:
    id = await action(caller)
    await caller.get(pb.DeactivateActionRequest(id=id))
    return id


async def removed_action(caller: Caller) -> str:
    id = await action(caller)
    await caller.get(pb.DeleteActionRequest(id=id))
    return id


async def set_trigger(caller: Caller, *ids: str, flow: str = "2", trigger: str = "4") -> None:
    await caller.get(
        pb.SetTriggerActionsRequest(flow_type=flow, trigger_type=trigger, action_ids=ids)
    )


async def last_event_at(caller: Caller) -> int:
    """The time of the last event that anyone wrote: a list shows that moment."""
    request = pb.ListActionsRequest()
    request.query.limit = 1
    response = await caller.get(request)
    return int(response.details.view_timestamp.ToNanoseconds())
