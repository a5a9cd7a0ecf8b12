"""Converts requests of ExecutionService into queries and scripts.

Flows and triggers have the names, and errors the texts, of the Management API.
"""

from typing import Final

from actions.v1 import execution_pb2 as pb
from server.domain.action import Action
from server.domain.flow import flow_type, trigger_type
from server.domain.refusals import invalid
from server.scripts.contract import Script
from server.services.page_tokens import number_of
from server.store.runs import RunsQuery
from server.triggers import TRIGGERS, FlowType, TriggerType

PAGE_MAX: Final = 1000
"""Max runs on a page; a larger limit is refused."""

PAGE: Final = 100
"""Max runs on a page if the request sets no limit."""


def trigger_of(flow: str, trigger: str) -> tuple[FlowType, TriggerType]:
    """Returns the flow and the trigger that a request names.

    Raises:
        Refusal: the flow does not exist, or it has no such trigger.
    """
    of_flow = flow_type(flow)
    if of_flow is None:
        raise invalid("Errors.Flow.FlowTypeMissing", "RUN-Fm4xk")
    of_trigger = trigger_type(trigger)
    if of_trigger not in TRIGGERS[of_flow]:
        raise invalid("Errors.Flow.WrongTriggerType", "RUN-Tt9wq")
    return of_flow, of_trigger


def script_of(action: Action) -> Script:
    return Script(
        action_id=action.id,
        name=action.name,
        source=action.script,
        timeout_ns=action.timeout_ns,
        allowed_to_fail=action.allowed_to_fail,
    )


def script_to_test(script: pb.Script) -> Script:
    return Script(
        action_id="",
        name=script.name,
        source=script.script,
        timeout_ns=script.timeout.ToNanoseconds(),
        allowed_to_fail=script.allowed_to_fail,
    )


def runs_query(request: pb.ListRunsRequest) -> RunsQuery:
    """Returns the query of a request.

    Raises:
        Refusal: the flow or the trigger is unknown, the limit too large, or the token invalid.
    """
    if request.limit > PAGE_MAX:
        raise invalid("Errors.Query.LimitExceeded", "RUN-Lx7ce")
    of_flow, of_trigger = 0, 0
    if request.flow_type and request.trigger_type:
        of_flow, of_trigger = trigger_of(request.flow_type, request.trigger_type)
    elif request.flow_type:
        of_flow = flow_type(request.flow_type) or 0
        if not of_flow:
            raise invalid("Errors.Flow.FlowTypeMissing", "RUN-Fm4xk")
    elif request.trigger_type:
        of_trigger = trigger_type(request.trigger_type) or 0
        if not of_trigger:
            raise invalid("Errors.Flow.WrongTriggerType", "RUN-Tt9wq")
    return RunsQuery(
        action_id=request.action_id,
        flow_type=of_flow,
        trigger_type=of_trigger,
        only_failed=request.only_failed,
        before=number_of(request.page_token, "RUN-Pt3gh") if request.page_token else 0,
        limit=request.limit or PAGE,
    )
