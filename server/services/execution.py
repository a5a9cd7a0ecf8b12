"""Serves actions.v1.ExecutionService: runs actions and answers with their results.

Follows docs/api.md "Execution": active actions only, in the order of the flow, until one fails
that is not allowed to fail.
"""

import time
from collections.abc import Sequence
from typing import Final, Protocol

import structlog
from google.protobuf.struct_pb2 import Struct

from actions.v1 import execution_pb2 as pb
from actions.v1.execution_pb2_grpc import ExecutionServiceServicer
from server.clock import Clock, wall_clock
from server.domain.refusals import Kind, Refusal, failed_precondition, invalid, not_found
from server.ids import IdGenerator
from server.rpc.call_info import current_caller
from server.rpc.errors import DetailedRefusal
from server.runs.recorder import RunRecorder
from server.runs.shortening import shorten_results, shorten_text
from server.scripts.contract import (
    BadContext,
    ExecutionError,
    Overloaded,
    PackedContext,
    RunRequest,
    RunResult,
    Script,
    ScriptCheck,
)
from server.scripts.host import contexts
from server.services import execution_messages as messages
from server.services import execution_requests as requests
from server.services.active_scripts import ActiveScripts
from server.services.trigger_runs import EndedRun, TriggerRunner, TriggerRuns, action_results
from server.services.values import NotRepresentable, fill_struct, object_of
from server.store.read_model import ActionById, ReadModel
from server.store.runs import ActionCounts
from server.threads import ThreadPool
from server.timestamps import set_duration, set_time

INLINE_MAX_BYTES: Final = 32 << 10
"""Bytes of a message that is read or made on the loop; a larger one takes a thread (R18)."""

RESULTS_MAX_BYTES: Final = 2 << 20
"""Max bytes of results in one answer; more is shortened."""

TEXT_MAX_BYTES: Final = 600
DETAIL_MAX_BYTES: Final = 2 << 10
"""Max bytes of the text and of the detail of a failed run's status: gRPC clients accept 8 KiB of
metadata, which has the text three times and the rest as base64."""

log = structlog.get_logger()


class ScriptRunner(TriggerRunner, Protocol):
    """Runs and checks scripts."""

    async def check(self, source: str, name: str, *, org_id: str = "") -> ScriptCheck: ...


class ExecutionService(ExecutionServiceServicer):
    def __init__(
        self,
        reads: ReadModel,
        active: ActiveScripts,
        executor: ScriptRunner,
        recorder: RunRecorder,
        ids: IdGenerator,
        *,
        threads: ThreadPool,
        clock: Clock = wall_clock,
    ) -> None:
        self._reads = reads
        self._active = active
        self._executor = executor
        self._recorder = recorder
        self._runs = TriggerRuns(executor, recorder, ids, threads=threads, clock=clock)
        self._threads = threads

    async def RunTrigger(
        self, request: pb.RunTriggerRequest, context: object
    ) -> pb.RunTriggerResponse:
        since_ns = time.monotonic_ns()
        caller = current_caller()
        org_id = caller.org_id
        flow, trigger = requests.trigger_of(request.flow_type, request.trigger_type)
        scripts = await self._active.of(org_id, flow, trigger)
        packed = await self._packed(flow, trigger, request)
        del request  # it holds many times the memory of the packed context, and runs may wait long
        run = self._runs.started(org_id, caller.user_id, flow, trigger, scripts)
        running = self._runs.run(run, scripts, packed, since_ns=since_ns)
        del packed
        try:
            ended = await running
        except ExecutionError as error:
            raise _refusal(error) from error
        if ended.result.failed is not None:
            raise _run_failed(ended)
        response = await self._runs.make(org_id, ended.result, _response, ended)
        response.run_id = ended.id
        set_duration(response.duration, ended.duration_us)
        return response

    async def TestAction(
        self, request: pb.TestActionRequest, context: object
    ) -> pb.TestActionResponse:
        org_id = current_caller().org_id
        flow, trigger = requests.trigger_of(request.flow_type, request.trigger_type)
        if request.HasField("script"):
            script = requests.script_to_test(request.script)
        else:
            action = await self._reads.read(ActionById(org_id, request.id))
            if action is None:
                raise not_found("Errors.Action.NotFound", "RUN-Na6yh")
            script = requests.script_of(action)
        packed = await self._packed(flow, trigger, request)
        del request
        running = self._executor.run(RunRequest(flow, trigger, org_id, packed, (script,)))
        del packed
        try:
            result = await running
        except ExecutionError as error:
            raise _refusal(error) from error
        return await self._runs.make(org_id, result, _test_response, result, script)

    async def CheckScript(
        self, request: pb.CheckScriptRequest, context: object
    ) -> pb.CheckScriptResponse:
        org_id = current_caller().org_id
        try:
            check = await self._executor.check(request.script, request.name, org_id=org_id)
        except ExecutionError as error:
            raise _refusal(error) from error
        response = pb.CheckScriptResponse(parses=check.parses, has_function=check.has_function)
        if check.failure is not None:
            messages.fill_failure(response.failure, check.failure)
        return response

    async def GetExampleContext(
        self, request: pb.GetExampleContextRequest, context: object
    ) -> pb.GetExampleContextResponse:
        flow, trigger = requests.trigger_of(request.flow_type, request.trigger_type)
        response = pb.GetExampleContextResponse()
        fill_struct(response.context, contexts.example(flow, trigger))
        return response

    async def ListRuns(self, request: pb.ListRunsRequest, context: object) -> pb.ListRunsResponse:
        query = requests.runs_query(request)
        org_id = current_caller().org_id
        page = await self._recorder.runs.page(org_id, query)
        if sum(map(len, page.contents)) > INLINE_MAX_BYTES:
            return await self._threads.run(org_id, messages.list_runs, page)
        return messages.list_runs(page)

    async def ListActionMetrics(
        self, request: pb.ListActionMetricsRequest, context: object
    ) -> pb.ListActionMetricsResponse:
        org_id = current_caller().org_id
        counted = await self._recorder.runs.counted_actions(org_id)
        response = pb.ListActionMetricsResponse(runs_not_logged=self._recorder.runs.dropped)
        set_time(response.since, counted.since)
        if len(counted.actions) > messages.LARGE_COUNT:
            await self._threads.run(org_id, _fill_metrics, response, counted.actions)
        else:
            _fill_metrics(response, counted.actions)
        return response

    async def _packed(
        self, flow: int, trigger: int, request: pb.RunTriggerRequest | pb.TestActionRequest
    ) -> PackedContext:
        context = request.context
        try:
            if context.ByteSize() > INLINE_MAX_BYTES:
                org_id = current_caller().org_id
                return await self._threads.run(org_id, _pack, flow, trigger, context)
            return _pack(flow, trigger, context)
        except ExecutionError as error:
            raise _refusal(error) from error


def _pack(flow: int, trigger: int, context: Struct) -> PackedContext:
    return contexts.pack(flow, trigger, object_of(context))


def _response(ended: EndedRun) -> pb.RunTriggerResponse:
    actions, is_shortened = shorten_results(ended.actions, RESULTS_MAX_BYTES)
    response = pb.RunTriggerResponse(actions=actions, is_shortened=is_shortened)
    _fill_effects(response.effects, ended.result)
    return response


def _test_response(result: RunResult, script: Script) -> pb.TestActionResponse:
    (action,) = action_results(result, (script,))
    response = pb.TestActionResponse(action=action)
    _fill_effects(response.effects, result)
    return response


def _fill_effects(message: pb.Effects, result: RunResult) -> None:
    try:
        messages.fill_effects(message, result.effects)
    except NotRepresentable as error:
        raise failed_precondition("Errors.Execution.ClaimUnfit", "RUN-Uc8wf") from error


def _fill_metrics(response: pb.ListActionMetricsResponse, actions: Sequence[ActionCounts]) -> None:
    for counts in actions:
        message = response.actions.add(
            action_id=counts.action_id,
            name=counts.name,
            runs=counts.runs,
            failures=counts.failures,
            timeouts=counts.timeouts,
            kills=counts.kills,
        )
        set_duration(message.queue_time, counts.queue_us)
        set_duration(message.duration, counts.duration_us)


def _run_failed(ended: EndedRun) -> Refusal:
    """Returns the error of a failed run, which its last action caused."""
    *before, last = ended.actions
    text = shorten_text(last.failure.text, TEXT_MAX_BYTES)
    cut = pb.ActionResult()
    cut.CopyFrom(last)
    cut.failure.text = text
    actions, is_shortened = shorten_results([*before, cut], DETAIL_MAX_BYTES)
    detail = pb.RunFailure(
        run_id=ended.id,
        actions=actions,
        is_shortened=is_shortened or text != last.failure.text,
    )
    values = {"name": last.name, "reason": text}
    refusal = Refusal(
        Kind.FAILED_PRECONDITION, "Errors.Execution.ActionFailed", "RUN-Af1ld", values=values
    )
    return DetailedRefusal(refusal, detail)


def _refusal(error: ExecutionError) -> Refusal:
    """Returns the error of a run that could not be made."""
    if isinstance(error, BadContext):
        values = {"reason": str(error)}
        return invalid("Errors.Execution.ContextInvalid", "RUN-Cx5bd", values=values)
    if isinstance(error, Overloaded):
        return Refusal(Kind.RESOURCE_EXHAUSTED, "Errors.Execution.Overloaded", "RUN-Ov2qz")
    log.error("scripts cannot be run", reason=str(error))
    return Refusal(Kind.UNAVAILABLE, "Errors.Execution.Unavailable", "RUN-Ua9kt")
