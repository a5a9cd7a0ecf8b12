"""ExecutionService over an engine that does as it is told: what is run, counted and logged."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest
import structlog
from google.protobuf import json_format

from actions.v1 import execution_pb2 as pb
from server.domain.action import Action, ActionState
from server.domain.refusals import Kind, Refusal
from server.identity.caller import Caller
from server.ids import IdGenerator
from server.rpc.call_info import CALL, CallInfo
from server.runs.recorder import RunRecorder
from server.scripts.contract import (
    ActionResult,
    BadContext,
    Effects,
    ExecutionError,
    Failure,
    LogLine,
    Overloaded,
    RunRequest,
    RunResult,
    ScriptCheck,
    Unavailable,
)
from server.services import execution, execution_messages
from server.services.active_scripts import ActiveScripts
from server.services.execution import ExecutionService
from server.threads import ThreadPool, TooManyWaiting
from tests.support.named_answers import NamedAnswers
from tests.support.run_logs import NOW, KeptRuns
from tests.support.threads import THREADS

T = TypeVar("T")

ORG, OTHER, ADA = "100000000000000001", "100000000000000002", "200000000000000001"
NOTHING = Effects(claims={}, fields={}, metadata=(), grants=(), attributes=())


def an_action(id: str, *, allowed_to_fail: bool = False) -> Action:
    state = ActionState.ACTIVE
    return Action(id, ORG, state, f"name{id}", f"s{id}", 10**9, allowed_to_fail, 1, 1, 1, 1)


class Reads(NamedAnswers):
    def __init__(self) -> None:
        self.actions = [an_action("1"), an_action("2", allowed_to_fail=True), an_action("3")]

    async def action_by_id(self, org_id: str, action_id: str) -> Action | None:
        return next(
            (one for one in self.actions if (one.org_id, one.id) == (org_id, action_id)), None
        )

    async def active_actions(self, org_id: str, type: int, trigger: int) -> Sequence[Action]:
        return self.actions if (org_id, type, trigger) == (ORG, 2, 4) else ()


class Engine:
    """Runs nothing; `fails` are the ids of actions that fail."""

    def __init__(self) -> None:
        self.requests: list[RunRequest] = []
        self.raises: ExecutionError | None = None
        self.fails: set[str] = set()
        self.failure = Failure("Error: no", 3, 4)
        self.effects = NOTHING
        self.logs: tuple[LogLine, ...] = ()
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.has_begun = asyncio.Event()

    async def run(self, request: RunRequest) -> RunResult:
        self.requests.append(request)
        self.has_begun.set()
        await self.may_end.wait()
        if self.raises is not None:
            raise self.raises
        results = []
        for script in request.scripts:
            failure = self.failure if script.action_id in self.fails else None
            result = ActionResult(script.action_id, script.name, failure, 2_000_001, 7, self.logs)
            results.append(result)
            if failure is not None and not script.allowed_to_fail:
                return RunResult(self.effects, tuple(results), result)
        return RunResult(self.effects, tuple(results), None)

    async def check(self, source: str, name: str, *, org_id: str = "") -> ScriptCheck:
        if self.raises is not None:
            raise self.raises
        return ScriptCheck(parses=True, has_function=False, failure=self.failure)


@pytest.fixture
def reads() -> Reads:
    return Reads()


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def log() -> KeptRuns:
    return KeptRuns()


@pytest.fixture
def service(reads: Reads, engine: Engine, log: KeptRuns) -> ExecutionService:
    CALL.set(CallInfo(caller=Caller(ADA, ORG)))
    records = RunRecorder(log, lines=False)
    return ExecutionService(
        reads,
        ActiveScripts(reads),
        engine,
        records,
        IdGenerator(7),
        threads=THREADS,
        clock=lambda: NOW,
    )


def run_request(trigger: str = "4", **context: object) -> pb.RunTriggerRequest:
    request = pb.RunTriggerRequest(flow_type="2", trigger_type=trigger)
    json_format.ParseDict(context, request.context)
    return request


async def refusal(service: ExecutionService, request: pb.RunTriggerRequest) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await service.RunTrigger(request, None)
    return caught.value


async def test_the_active_actions_of_the_trigger_are_run_as_they_are(
    service: ExecutionService, engine: Engine
) -> None:
    response = await service.RunTrigger(run_request(claims={"a": [1, None]}), None)
    (request,) = engine.requests
    assert (request.flow_type, request.trigger_type, request.org_id) == (2, 4, ORG)
    assert request.context.parts["claims"] == rb'"{\"a\":[1,null]}"'
    assert [
        (one.action_id, one.name, one.source, one.timeout_ns, one.allowed_to_fail)
        for one in request.scripts
    ] == [
        ("1", "name1", "s1", 10**9, False),
        ("2", "name2", "s2", 10**9, True),
        ("3", "name3", "s3", 10**9, False),
    ]
    assert [(one.action_id, one.state) for one in response.actions] == [
        ("1", pb.ACTION_STATE_SUCCEEDED),
        ("2", pb.ACTION_STATE_SUCCEEDED),
        ("3", pb.ACTION_STATE_SUCCEEDED),
    ]
    first = response.actions[0]
    assert (first.duration.seconds, first.duration.nanos) == (2, 1000)
    assert first.queue_time.nanos == 7000


async def test_a_run_is_logged_with_who_and_what(
    service: ExecutionService, engine: Engine, log: KeptRuns
) -> None:
    engine.fails = {"2"}
    engine.logs = (LogLine("warn", "hm"),)
    response = await service.RunTrigger(run_request(), None)
    (logged,), (told,) = log.runs, log.told()
    assert (logged.org_id, logged.flow_type, logged.trigger_type, logged.started_at) == (
        *(ORG, 2, 4, NOW),
    )
    assert logged.actions == (("1", False), ("2", True), ("3", False))
    assert (told.id, told.user_id, told.state) == (response.run_id, ADA, pb.RUN_STATE_SUCCEEDED)
    assert told.started_at.ToMicroseconds() == NOW
    assert list(told.actions) == list(response.actions)
    assert told.actions[1].failure == pb.Failure(text="Error: no", line=3, column=4)
    assert told.actions[1].logs[0] == pb.LogLine(level=pb.LOG_LEVEL_WARN, text="hm")


@pytest.mark.parametrize(
    ("error", "kind", "id", "values"),
    [
        pytest.param(
            BadContext("context.a: no"),
            *(Kind.INVALID_ARGUMENT, "RUN-Cx5bd", {"reason": "context.a: no"}),
            id="context",
        ),
        pytest.param(Overloaded("x"), Kind.RESOURCE_EXHAUSTED, "RUN-Ov2qz", {}, id="overloaded"),
    ],
)
async def test_a_run_that_did_not_start_is_refused_and_not_logged(
    service: ExecutionService,
    engine: Engine,
    log: KeptRuns,
    error: ExecutionError,
    kind: Kind,
    id: str,
    values: dict[str, str],
) -> None:
    engine.raises = error
    refused = await refusal(service, run_request())
    assert (refused.kind, refused.id, refused.values) == (kind, id, values)
    assert log.runs == []


async def test_a_run_that_cannot_go_on_is_logged_as_abandoned(
    service: ExecutionService, engine: Engine, log: KeptRuns
) -> None:
    engine.raises = Unavailable("no process")
    refused = await refusal(service, run_request())
    assert (refused.kind, refused.id) == (Kind.UNAVAILABLE, "RUN-Ua9kt")
    assert log.told()[0].state == pb.RUN_STATE_ABANDONED


async def test_a_run_whose_caller_is_cancelled_while_the_answer_is_made_is_logged(
    service: ExecutionService, log: KeptRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_telling = asyncio.Event()

    async def tell(*_: object) -> None:
        is_telling.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(execution_messages, "LARGE_COUNT", 0)
    monkeypatch.setattr(ThreadPool, "run", tell)
    running = asyncio.ensure_future(service.RunTrigger(run_request(), None))
    await is_telling.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [told.state for told in log.told()] == [pb.RUN_STATE_ABANDONED]


async def test_a_run_whose_answer_no_thread_can_make_is_logged(
    service: ExecutionService, log: KeptRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise TooManyWaiting

    monkeypatch.setattr(execution_messages, "LARGE_COUNT", 0)
    monkeypatch.setattr(ThreadPool, "run", refuse)
    with pytest.raises(TooManyWaiting):
        await service.RunTrigger(run_request(), None)
    assert [told.state for told in log.told()] == [pb.RUN_STATE_ABANDONED]


async def test_actions_are_counted_for_their_organisation(
    service: ExecutionService, engine: Engine
) -> None:
    await service.RunTrigger(run_request(), None)
    engine.fails, engine.failure = {"2"}, Failure("late", timed_out=True, killed=True)
    await service.RunTrigger(run_request(), None)
    response = await service.ListActionMetrics(pb.ListActionMetricsRequest(), None)
    assert response.since.ToMicroseconds() == NOW
    assert response.runs_not_logged == 3
    second = response.actions[1]
    assert (second.action_id, second.name, second.runs) == ("2", "name2", 2)
    assert (second.failures, second.timeouts, second.kills) == (1, 1, 1)
    assert (second.duration.ToMicroseconds(), second.queue_time.ToMicroseconds()) == (4_000_002, 14)
    CALL.set(CallInfo(caller=Caller(ADA, OTHER)))
    assert not (await service.ListActionMetrics(pb.ListActionMetricsRequest(), None)).actions


async def test_a_test_is_neither_logged_nor_counted(
    service: ExecutionService, engine: Engine, log: KeptRuns
) -> None:
    engine.fails = {"3"}
    request = pb.TestActionRequest(id="3", flow_type="2", trigger_type="4")
    with structlog.testing.capture_logs() as captured:
        response = await service.TestAction(request, None)
    assert response.action.state == pb.ACTION_STATE_FAILED
    assert (captured, log.runs) == ([], [])
    assert not (await service.ListActionMetrics(pb.ListActionMetricsRequest(), None)).actions


async def test_a_script_that_is_not_stored_is_tested_as_it_is(
    service: ExecutionService, engine: Engine
) -> None:
    request = pb.TestActionRequest(flow_type="2", trigger_type="4")
    request.script.name, request.script.script = "f", "source"
    request.script.timeout.nanos = 5
    request.script.allowed_to_fail = True
    response = await service.TestAction(request, None)
    (script,) = engine.requests[0].scripts
    assert (script.name, script.source, script.timeout_ns) == ("f", "source", 5)
    assert (script.action_id, response.action.allowed_to_fail) == ("", True)


@pytest.mark.parametrize("error", [Overloaded("x"), Unavailable("x")])
async def test_tests_and_checks_are_refused_as_runs_are(
    service: ExecutionService, engine: Engine, error: ExecutionError
) -> None:
    engine.raises = error
    with pytest.raises(Refusal):
        await service.TestAction(
            pb.TestActionRequest(id="1", flow_type="2", trigger_type="4"), None
        )
    with pytest.raises(Refusal):
        await service.CheckScript(pb.CheckScriptRequest(name="f", script="s"), None)


async def test_a_check_has_the_reason(service: ExecutionService) -> None:
    response = await service.CheckScript(pb.CheckScriptRequest(name="f", script="s"), None)
    assert (response.parses, response.has_function, response.failure.line) == (True, False, 3)


@pytest.mark.parametrize(("given", "expected"), [(1, 1), (2**31, -(2**31)), (-(2**40) - 1, -1)])
async def test_a_gender_is_the_number_that_an_int32_would_be(
    service: ExecutionService, engine: Engine, given: int, expected: int
) -> None:
    engine.effects = Effects({}, {"gender": given}, (), (), ())
    response = await service.RunTrigger(run_request(), None)
    assert response.effects.user.gender == expected


async def test_large_messages_are_read_and_made_off_the_loop(
    service: ExecutionService, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[str] = []

    async def noted(_: ThreadPool, owner: str, function: Callable[..., T], *args: object) -> T:
        assert owner == ORG
        used.append(getattr(function, "__name__", ""))
        return function(*args)

    monkeypatch.setattr(ThreadPool, "run", noted)
    await service.RunTrigger(run_request(claims={"a": "x"}), None)
    assert used == []
    engine.effects = Effects({"c": {"d": [0] * 2000}}, {}, (), (), ())
    response = await service.RunTrigger(
        run_request(claims={"a": "x" * execution.INLINE_MAX_BYTES}), None
    )
    assert used == ["_pack", "action_results", "_response"]
    assert len(response.effects.claims["c"].struct_value.fields["d"].list_value.values) == 2000
    await service.ListActionMetrics(pb.ListActionMetricsRequest(), None)
    monkeypatch.setattr(execution_messages, "LARGE_COUNT", 2)
    metrics = await service.ListActionMetrics(pb.ListActionMetricsRequest(), None)
    assert used[3:] == ["_fill_metrics"]
    assert [one.action_id for one in metrics.actions] == ["1", "2", "3"]


async def test_many_log_lines_are_shortened(service: ExecutionService, engine: Engine) -> None:
    engine.logs = tuple(LogLine("info", "x" * 1000) for _ in range(1000))
    response = await service.RunTrigger(run_request(), None)
    assert response.is_shortened
    assert response.ByteSize() <= execution.RESULTS_MAX_BYTES + 100
    assert len(response.actions[2].logs) == 1000


@pytest.mark.parametrize(("lines", "expected"), [(True, ["run"]), (False, [])])
async def test_a_run_is_a_line_in_the_log_where_calls_are(
    reads: Reads, engine: Engine, log: KeptRuns, lines: bool, expected: list[str]
) -> None:
    CALL.set(CallInfo(caller=Caller(ADA, ORG)))
    records = RunRecorder(log, lines=lines)
    service = ExecutionService(
        reads, ActiveScripts(reads), engine, records, IdGenerator(7), threads=THREADS
    )
    with structlog.testing.capture_logs() as captured:
        await service.RunTrigger(run_request(), None)
    assert [line["event"] for line in captured] == expected
    for line in captured:
        del line["run"], line["ms"]
        assert line == {
            "event": "run",
            "log_level": "info",
            "flow": 2,
            "trigger": 4,
            "state": "succeeded",
            "actions": 3,
            "org": ORG,
            "user": ADA,
        }


@pytest.mark.parametrize("lines", [True, False], ids=["calls logged", "calls not logged"])
async def test_an_action_that_fails_in_a_run_is_a_warning(
    reads: Reads, engine: Engine, log: KeptRuns, lines: bool
) -> None:
    CALL.set(CallInfo(caller=Caller(ADA, ORG)))
    records = RunRecorder(log, lines=lines)
    service = ExecutionService(
        reads, ActiveScripts(reads), engine, records, IdGenerator(7), threads=THREADS
    )
    engine.fails, engine.failure = {"2"}, Failure("late", timed_out=True)
    with structlog.testing.capture_logs() as captured:
        await service.RunTrigger(run_request(), None)
    (told,) = log.told()
    assert captured[0] == {
        "event": "action run failed",
        "log_level": "warning",
        "run": told.id,
        "action": "2",
        "name": "name2",
        "reason": "late",
        "ms": 2000.0,
        "org": ORG,
    }
    assert [line["event"] for line in captured[1:]] == ["run"] * lines
