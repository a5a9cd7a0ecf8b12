"""Serves ManagementService: actions and flows, and the organisation of the call.

Follows docs/api.md "ManagementService", "Actions", "Flows" and "Reads and lists".
"""

from collections.abc import Collection
from typing import Final

from server.commands import actions as commands
from server.commands import flows as flow_commands
from server.commands.base import Commands
from server.domain.action import Action
from server.domain.flow import flow_type, sequence_of, trigger_type
from server.domain.org import Org
from server.domain.refusals import not_found
from server.ids import IdGenerator
from server.locale import Locale
from server.rpc.call_info import current_call, current_caller
from server.rpc.language import texts_of_call
from server.services import messages, org_lists, requests
from server.services.if_match import if_match
from server.services.kept_actions import KeptActions
from server.services.no_change import allow_noop
from server.store.read_model import (
    NOTHING_SET,
    ActionsOf,
    FlowOf,
    OrgById,
    OrgIdByName,
    ReadModel,
)
from server.threads import ThreadPool
from server.triggers import TRIGGERS
from zitadel import management_pb2 as pb
from zitadel.management_pb2_grpc import ManagementServiceServicer

INLINE_MAX_CHARS: Final = 256 << 10
"""Max characters of scripts in an answer that is made on the loop; more take a thread (R18)."""

INLINE_MAX_ACTIONS: Final = 200
"""Max actions in such an answer, at about 4 µs each."""


class ManagementService(ManagementServiceServicer):
    def __init__(
        self,
        reads: ReadModel,
        actions: KeptActions,
        commands: Commands,
        ids: IdGenerator,
        locale: Locale,
        *,
        threads: ThreadPool,
    ) -> None:
        self._reads = reads
        self._actions = actions
        self._commands = commands
        self._ids = ids
        self._locale = locale
        self._threads = threads

    async def Healthz(self, request: pb.HealthzRequest, context: object) -> pb.HealthzResponse:
        return pb.HealthzResponse()

    async def GetMyOrg(self, request: pb.GetMyOrgRequest, context: object) -> pb.GetMyOrgResponse:
        response = pb.GetMyOrgResponse()
        org_lists.fill_org(response.org, await self._org(current_caller().org_id))
        return response

    async def GetOrgByDomainGlobal(
        self, request: pb.GetOrgByDomainGlobalRequest, context: object
    ) -> pb.GetOrgByDomainGlobalResponse:
        org_id = await self._reads.read(OrgIdByName(request.domain))
        response = pb.GetOrgByDomainGlobalResponse()
        org_lists.fill_org(response.org, await self._org(org_id))
        return response

    async def _org(self, org_id: str | None) -> Org:
        org = None if org_id is None else await self._reads.read(OrgById(org_id))
        if org is None:
            raise org_lists.org_not_found(org_id or "")
        return org

    async def ListActions(
        self, request: pb.ListActionsRequest, context: object
    ) -> pb.ListActionsResponse:
        query = requests.actions_query(request)
        org_id = current_caller().org_id
        page = await self._reads.read(ActionsOf(org_id, query))
        sorting_column = requests.sorted_by(request)
        if _is_large(page.items):
            return await self._threads.run(org_id, messages.list_actions, page, sorting_column)
        return messages.list_actions(page, sorting_column)

    async def GetAction(
        self, request: pb.GetActionRequest, context: object
    ) -> pb.GetActionResponse:
        action = await self._actions.by_id(current_caller().org_id, request.id)
        if action is None:
            raise not_found("Errors.Action.NotFound", "QUERY-GEfnb")
        current_call().sequence = action.sequence
        response = pb.GetActionResponse()
        messages.fill_action(response.action, action)
        return response

    async def CreateAction(
        self, request: pb.CreateActionRequest, context: object
    ) -> pb.CreateActionResponse:
        caller = current_caller()
        action = await self._commands.execute(
            commands.CreateAction(
                org_id=caller.org_id,
                action_id=self._ids.next(),
                name=request.name,
                script=request.script,
                timeout_ns=request.timeout.ToNanoseconds(),
                allowed_to_fail=request.allowed_to_fail,
                editor=caller.user_id,
            )
        )
        response = pb.CreateActionResponse(id=action.id)
        current_call().sequence = action.sequence
        messages.fill_details(response.details, action)
        return response

    async def UpdateAction(
        self, request: pb.UpdateActionRequest, context: object
    ) -> pb.UpdateActionResponse:
        caller = current_caller()
        action = await self._commands.execute(
            commands.UpdateAction(
                org_id=caller.org_id,
                action_id=request.id,
                name=request.name,
                script=request.script,
                timeout_ns=request.timeout.ToNanoseconds(),
                allowed_to_fail=request.allowed_to_fail,
                editor=caller.user_id,
                if_sequence=if_match(),
            ),
            allow_noop=allow_noop(),
        )
        response = pb.UpdateActionResponse()
        current_call().sequence = action.sequence
        messages.fill_details(response.details, action)
        return response

    async def DeactivateAction(
        self, request: pb.DeactivateActionRequest, context: object
    ) -> pb.DeactivateActionResponse:
        caller = current_caller()
        action = await self._commands.execute(
            commands.DeactivateAction(caller.org_id, request.id, caller.user_id, if_match()),
            allow_noop=allow_noop(),
        )
        response = pb.DeactivateActionResponse()
        current_call().sequence = action.sequence
        messages.fill_details(response.details, action)
        return response

    async def ReactivateAction(
        self, request: pb.ReactivateActionRequest, context: object
    ) -> pb.ReactivateActionResponse:
        caller = current_caller()
        action = await self._commands.execute(
            commands.ReactivateAction(caller.org_id, request.id, caller.user_id, if_match()),
            allow_noop=allow_noop(),
        )
        response = pb.ReactivateActionResponse()
        current_call().sequence = action.sequence
        messages.fill_details(response.details, action)
        return response

    async def DeleteAction(
        self, request: pb.DeleteActionRequest, context: object
    ) -> pb.DeleteActionResponse:
        caller = current_caller()
        await self._commands.execute(
            commands.DeleteAction(caller.org_id, request.id, caller.user_id, if_match())
        )
        return pb.DeleteActionResponse()

    async def ListFlowTypes(
        self, request: pb.ListFlowTypesRequest, context: object
    ) -> pb.ListFlowTypesResponse:
        return messages.list_flow_types(texts_of_call(self._locale))

    async def ListFlowTriggerTypes(
        self, request: pb.ListFlowTriggerTypesRequest, context: object
    ) -> pb.ListFlowTriggerTypesResponse:
        type = flow_type(request.type)
        if type is None:
            raise not_found("Errors.NotFound", "MANAG-P2OBk")
        return messages.list_trigger_types(TRIGGERS[type], texts_of_call(self._locale))

    async def GetFlow(self, request: pb.GetFlowRequest, context: object) -> pb.GetFlowResponse:
        type, texts = flow_type(request.type), texts_of_call(self._locale)
        if type is None:
            return messages.get_flow(None, NOTHING_SET, texts)
        org_id = current_caller().org_id
        read = await self._reads.read(FlowOf(org_id, type))
        current_call().sequence = sequence_of(read.flow)
        if _is_large(read.actions.values()):
            return await self._threads.run(org_id, messages.get_flow, type, read, texts)
        return messages.get_flow(type, read, texts)

    async def ClearFlow(
        self, request: pb.ClearFlowRequest, context: object
    ) -> pb.ClearFlowResponse:
        caller = current_caller()
        flow = await self._commands.execute(
            flow_commands.ClearFlow(
                caller.org_id, flow_type(request.type), caller.user_id, if_match()
            ),
            allow_noop=allow_noop(),
        )
        response = pb.ClearFlowResponse()
        current_call().sequence = sequence_of(flow)
        messages.fill_flow_details(response.details, flow)
        return response

    async def SetTriggerActions(
        self, request: pb.SetTriggerActionsRequest, context: object
    ) -> pb.SetTriggerActionsResponse:
        caller = current_caller()
        flow = await self._commands.execute(
            flow_commands.SetTriggerActions(
                org_id=caller.org_id,
                type=flow_type(request.flow_type),
                trigger=trigger_type(request.trigger_type),
                action_ids=tuple(request.action_ids),
                editor=caller.user_id,
                if_sequence=if_match(),
            ),
            allow_noop=allow_noop(),
        )
        response = pb.SetTriggerActionsResponse()
        current_call().sequence = sequence_of(flow)
        messages.fill_flow_details(response.details, flow)
        return response


def _is_large(actions: Collection[Action]) -> bool:
    return (
        len(actions) > INLINE_MAX_ACTIONS
        or sum(len(action.script) for action in actions) > INLINE_MAX_CHARS
    )
