"""ManagementService: actions. The RPCs of flows are left to the generated base class.

Follows the Actions API, "Proto facts" and "Lists and reads".
"""

import asyncio
from typing import Final, Protocol

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from server.commands import actions as commands
from server.commands.base import Command, R
from server.domain.action import Action, ActionState
from server.domain.refusals import Kind, Refusal, invalid, not_found
from server.eventstore.contract import Page
from server.identity.caller import CALLER
from server.ids import IdGenerator
from server.services.no_change import takes_unchanged
from zitadel import action_pb2, object_pb2
from zitadel import management_pb2 as pb
from zitadel.management_pb2_grpc import ManagementServiceServicer

LIMIT_MAX: Final = 1000
"""Actions in one list, and how many it has when no limit is given."""

TIMEOUT_NS_MAX: Final = 20 * 10**9
"""What readers are told when the stored timeout is none, or longer."""

INLINE_MAX_CHARS: Final = 1 << 20
"""A list with more text than this is put together in a thread: 1 MiB takes about 1 ms (R18)."""

_NS: Final = 10**9
_US: Final = 10**6

_STATES: Final = {
    ActionState.ACTIVE: action_pb2.ACTION_STATE_ACTIVE,
    ActionState.INACTIVE: action_pb2.ACTION_STATE_INACTIVE,
}


class Actions(Protocol):
    """What is read of the event store."""

    async def action(self, org_id: str, action_id: str) -> Action | None: ...

    async def actions(self, org_id: str, *, offset: int = 0, limit: int = 0) -> Page: ...


class Commands(Protocol):
    """Where commands go."""

    async def execute(self, command: Command[R], *, or_unchanged: bool = False) -> R: ...


class ManagementService(ManagementServiceServicer):
    def __init__(self, actions: Actions, commands: Commands, ids: IdGenerator) -> None:
        self._actions = actions
        self._commands = commands
        self._ids = ids

    async def Healthz(self, request: pb.HealthzRequest, context: object) -> pb.HealthzResponse:
        return pb.HealthzResponse()

    async def ListActions(
        self, request: pb.ListActionsRequest, context: object
    ) -> pb.ListActionsResponse:
        if request.queries:
            raise Refusal(Kind.INVALID_ARGUMENT, "queries: filters are not served yet")
        limit = request.query.limit
        if limit > LIMIT_MAX:
            raise invalid("Errors.Query.LimitExceeded", "QUERY-4M0fs")
        page = await self._actions.actions(
            CALLER.get().org_id, offset=request.query.offset, limit=limit or LIMIT_MAX
        )
        if sum(len(action.script) for action in page.items) > INLINE_MAX_CHARS:
            return await asyncio.to_thread(_list, page)
        return _list(page)

    async def GetAction(
        self, request: pb.GetActionRequest, context: object
    ) -> pb.GetActionResponse:
        action = await self._actions.action(CALLER.get().org_id, request.id)
        if action is None:
            raise not_found("Errors.Action.NotFound", "QUERY-GEfnb")
        response = pb.GetActionResponse()
        _fill(response.action, action)
        return response

    async def CreateAction(
        self, request: pb.CreateActionRequest, context: object
    ) -> pb.CreateActionResponse:
        caller = CALLER.get()
        action = await self._commands.execute(
            commands.CreateAction(
                org_id=caller.org_id,
                action_id=self._ids.next(),
                name=request.name,
                script=request.script,
                timeout_ns=_nanoseconds(request.timeout),
                allowed_to_fail=request.allowed_to_fail,
                editor=caller.user_id,
            )
        )
        response = pb.CreateActionResponse(id=action.id)
        _fill_details(response.details, action)
        return response

    async def UpdateAction(
        self, request: pb.UpdateActionRequest, context: object
    ) -> pb.UpdateActionResponse:
        caller = CALLER.get()
        action = await self._commands.execute(
            commands.UpdateAction(
                org_id=caller.org_id,
                action_id=request.id,
                name=request.name,
                script=request.script,
                timeout_ns=_nanoseconds(request.timeout),
                allowed_to_fail=request.allowed_to_fail,
                editor=caller.user_id,
            ),
            or_unchanged=takes_unchanged(),
        )
        response = pb.UpdateActionResponse()
        _fill_details(response.details, action)
        return response

    async def DeactivateAction(
        self, request: pb.DeactivateActionRequest, context: object
    ) -> pb.DeactivateActionResponse:
        caller = CALLER.get()
        action = await self._commands.execute(
            commands.DeactivateAction(caller.org_id, request.id, caller.user_id),
            or_unchanged=takes_unchanged(),
        )
        response = pb.DeactivateActionResponse()
        _fill_details(response.details, action)
        return response

    async def ReactivateAction(
        self, request: pb.ReactivateActionRequest, context: object
    ) -> pb.ReactivateActionResponse:
        caller = CALLER.get()
        action = await self._commands.execute(
            commands.ReactivateAction(caller.org_id, request.id, caller.user_id),
            or_unchanged=takes_unchanged(),
        )
        response = pb.ReactivateActionResponse()
        _fill_details(response.details, action)
        return response

    async def DeleteAction(
        self, request: pb.DeleteActionRequest, context: object
    ) -> pb.DeleteActionResponse:
        caller = CALLER.get()
        await self._commands.execute(
            commands.DeleteAction(caller.org_id, request.id, caller.user_id)
        )
        return pb.DeleteActionResponse()


def _list(page: Page) -> pb.ListActionsResponse:
    response = pb.ListActionsResponse()
    response.details.total_result = page.total
    _set_time(response.details.view_timestamp, page.viewed_at)
    add = response.result.add
    for action in page.items:
        _fill(add(), action)
    return response


def _fill(message: action_pb2.Action, action: Action) -> None:
    """Set fields in place: a third of what nested keyword arguments cost."""
    message.id = action.id
    _fill_details(message.details, action)
    message.state = _STATES[action.state]
    message.name = action.name
    message.script = action.script
    timeout_ns = action.timeout_ns
    if not 0 < timeout_ns < TIMEOUT_NS_MAX:
        timeout_ns = TIMEOUT_NS_MAX
    message.timeout.seconds, message.timeout.nanos = divmod(timeout_ns, _NS)
    message.allowed_to_fail = action.allowed_to_fail


def _fill_details(details: object_pb2.ObjectDetails, action: Action) -> None:
    details.sequence = action.sequence
    _set_time(details.creation_date, action.created_at)
    _set_time(details.change_date, action.changed_at)
    details.resource_owner = action.org_id


def _set_time(timestamp: Timestamp, at: int) -> None:
    timestamp.seconds, microseconds = divmod(at, _US)
    timestamp.nanos = microseconds * 1000


def _nanoseconds(duration: Duration) -> int:
    """Whole nanoseconds, of a Duration that may be out of its own range."""
    return duration.seconds * _NS + duration.nanos
