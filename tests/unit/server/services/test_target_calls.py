"""Calls of targets over an engine that does as it is told: what is refused, run and answered."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import structlog

from actions.v1 import execution_pb2 as pb
from server.bridge.signature import sign
from server.bridge.targets import PayloadType, Target
from server.domain.action import Action, ActionState
from server.domain.refusals import Kind, Refusal
from server.identity.jwks import IssuerKey
from server.ids import IdGenerator
from server.runs.recorder import RunRecorder
from server.scripts.contract import (
    ActionResult,
    Effects,
    ExecutionError,
    Failure,
    GrantEffect,
    MetadataEffect,
    Overloaded,
    RunRequest,
    RunResult,
    Unavailable,
)
from server.services import target_calls
from server.services.active_scripts import ActiveScripts
from server.services.target_calls import TargetAnswer, TargetCalls
from server.services.trigger_runs import TriggerRuns
from server.store.errors import StorageError
from server.threads import ThreadPool
from tests.support.issuer import Signer
from tests.support.named_answers import NamedAnswers
from tests.support.run_logs import KeptRuns
from tests.support.tables import cases
from tests.support.threads import THREADS
from tests.support.zitadel import as_jwt

NOW_S = 1_700_000_000
HERE, THERE, ADA = "100000000000000001", "200000000000000001", "300000000000000001"
KEY = "the signing key"
TARGET = Target(
    id="7", name="production", signing_key=KEY, timeout_ms=60_000, ignores_failures=False,
    orgs={THERE: HERE},
)  # fmt: skip
LENIENT = Target(
    id="8", name="lenient", signing_key=KEY, timeout_ms=60_000, ignores_failures=True,
    orgs={THERE: HERE},
)  # fmt: skip
HASTY = Target(
    id="9", name="hasty", signing_key=KEY, timeout_ms=1, ignores_failures=False,
    orgs={THERE: HERE},
)  # fmt: skip
BARE = Target(
    id="10", name="bare", signing_key="", timeout_ms=60_000, ignores_failures=False, orgs={}
)  # fmt: skip
ISSUER = "https://zitadel.example"
SIGNER = Signer("ES256", "one")
INSTANCE = IssuerKey("one", SIGNER.private.public_key(), frozenset({"ES256"}))
ENCODED = Target(
    id="11", name="encoded", signing_key=KEY, timeout_ms=60_000, ignores_failures=False,
    orgs={THERE: HERE}, payload=PayloadType.JWT, issuer=ISSUER,
)  # fmt: skip
HASTY_ENCODED = replace(ENCODED, id="12", timeout_ms=1)
TARGETS = (TARGET, LENIENT, HASTY, BARE, ENCODED, HASTY_ENCODED)
NOTHING = Effects(claims={}, fields={}, metadata=(), grants=(), attributes=())
UNPROVED = '{"message":"the call is not signed by the target\'s key, or not now"}'
BUSY = '{"message":"too much to do, try again later"}'
UNAVAILABLE = '{"message":"actions cannot be run now"}'


def payload(function: str = "preuserinfo", org_id: str = THERE, **members: Any) -> bytes:
    user = {"id": ADA, "resource_owner": org_id}
    return json.dumps({"function": f"function/{function}", "user": user, **members}).encode()


def header(body: bytes, *, key: str = KEY, at_s: int = NOW_S) -> str:
    return f"t={at_s},v1={sign(str(at_s), body, key=key).hex()}"


class Targets:
    def __init__(self) -> None:
        self.fails = False

    async def find(self, target_id: str) -> Target | None:
        if self.fails:
            raise StorageError("disk gone")
        return {each.id: each for each in TARGETS}.get(target_id)


class Keys:
    """Finds the instance's key, or waits for one, or cannot fetch it."""

    def __init__(self) -> None:
        self.raises: Refusal | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def find(self, issuer: str, key_id: str | None, algorithm: str) -> IssuerKey | None:
        await self.gate.wait()
        if self.raises is not None:
            raise self.raises
        found = (issuer, key_id, algorithm) == (ISSUER, "one", "ES256")
        return INSTANCE if found else None


class Reads(NamedAnswers):
    async def active_actions(self, org_id: str, type: int, trigger: int) -> Sequence[Action]:
        if org_id != HERE or (type, trigger) not in {(2, 4), (3, 3)}:
            return ()
        state = ActionState.ACTIVE
        return [Action("1", HERE, state, "add", "source", 10**9, False, 1, 1, 1, 1)]


class Engine:
    def __init__(self) -> None:
        self.requests: list[RunRequest] = []
        self.raises: ExecutionError | None = None
        self.failure: Failure | None = None
        self.effects = NOTHING
        self.has_begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def run(self, request: RunRequest) -> RunResult:
        self.requests.append(request)
        self.has_begun.set()
        await self.may_end.wait()
        if self.raises is not None:
            raise self.raises
        (script,) = request.scripts
        result = ActionResult(script.action_id, script.name, self.failure, 5, 7)
        return RunResult(self.effects, (result,), result if self.failure else None)


class Counts:
    def __init__(self) -> None:
        self.outcomes: list[str] = []

    def call_ended(self, outcome: str, seconds: float) -> None:
        self.outcomes.append(outcome)


class Service:
    """The service, with its clocks and what it keeps."""

    def __init__(self) -> None:
        self.now_s = NOW_S
        self.keys = Keys()
        self.targets, self.engine, self.log, self.counts = Targets(), Engine(), KeptRuns(), Counts()
        records = RunRecorder(self.log, lines=False)
        self.calls = TargetCalls(
            self.targets,
            ActiveScripts(Reads()),
            TriggerRuns(self.engine, records, IdGenerator(7), threads=THREADS),
            keys=self.keys,
            threads=THREADS,
            observer=self.counts,
            lines=True,
            clock=lambda: self.now_s * 1_000_000,
            elapsed=lambda: self.now_s * 1_000_000,
        )

    async def call(self, body: bytes, *, target_id: str = "7") -> TargetAnswer:
        return await self.calls.answer(target_id, header(body, at_s=self.now_s), body)


@pytest.fixture
def service() -> Service:
    return Service()


def told(answer: TargetAnswer) -> tuple[int, str]:
    return answer.status, answer.body.decode()


BODY = payload()


@cases(
    "target_id, signature, body",
    {
        "no signature": ("7", None, BODY),
        "an empty one": ("7", "", BODY),
        "an old one": ("7", header(BODY, at_s=NOW_S - 301), BODY),
        "one of the future": ("7", header(BODY, at_s=NOW_S + 301), BODY),
        "by the key of another target": ("7", header(BODY, key="another"), BODY),
        "a body that was changed": ("7", header(BODY), BODY.replace(b"preuser", b"preUser")),
        "a body that is no JSON": ("7", header(BODY, key="another"), b"{"),
        "an unknown target": ("6", header(BODY), BODY),
        "a target without a key": ("10", header(BODY, key=""), BODY),
        "a large body": ("7", header(BODY), BODY + b" " * target_calls.BODY_MAX_BYTES),
    },
)
async def test_a_call_that_is_not_proved_is_refused_before_its_body_is_read(
    service: Service, target_id: str, signature: str | None, body: bytes
) -> None:
    with structlog.testing.capture_logs() as lines:
        answered = await service.calls.answer(target_id, signature, body)
    assert told(answered) == (401, UNPROVED)
    assert (service.counts.outcomes, service.engine.requests) == (["unproved"], [])
    assert THERE not in str(lines)
    assert ADA not in str(lines)


@cases("members", {"small": {}, "large": {"userinfo": {"a": "x" * (64 << 10)}}})
async def test_a_payload_that_the_issuer_signed_runs_actions(
    service: Service, members: dict[str, Any]
) -> None:
    answered = await service.call(as_jwt(payload(**members), SIGNER), target_id="11")
    assert told(answered) == (200, "{}")
    (request,) = service.engine.requests
    assert request.org_id == HERE


@cases(
    "body",
    {
        "JSON": BODY,
        "a JWT by a key that the issuer does not have": as_jwt(BODY, Signer("ES256", "two")),
        "a JWT by another's key with the id of the issuer's": as_jwt(
            BODY, Signer("ES256", "one", private=Signer("ES256", "another").private)
        ),
        "a JWT that was changed": as_jwt(BODY, SIGNER)[:-4] + b"AAAA",
    },
)
async def test_a_payload_that_the_issuer_did_not_sign_is_as_unproved(
    service: Service, body: bytes
) -> None:
    with structlog.testing.capture_logs() as lines:
        assert told(await service.call(body, target_id="11")) == (401, UNPROVED)
    assert (service.counts.outcomes, service.engine.requests) == (["unproved"], [])
    assert ADA not in str(lines)


async def test_a_trial_needs_no_key_of_the_issuer(service: Service) -> None:
    service.keys.raises = Refusal(Kind.UNAVAILABLE, "not to be asked")
    body = json.dumps({"trial": {"organisation": THERE}, "function": "x"}, separators=(",", ":"))
    answered = await service.call(body.encode(), target_id="11")
    assert json.loads(answered.body)["trial"]["organisation"] == HERE
    assert service.engine.requests == []


async def test_keys_that_are_unavailable_are_an_error(service: Service) -> None:
    service.keys.raises = Refusal(Kind.UNAVAILABLE, "try again")
    answered = await service.call(as_jwt(BODY, SIGNER), target_id="11")
    assert told(answered) == (503, UNAVAILABLE)
    assert service.counts.outcomes == ["unavailable"]


async def test_keys_are_not_waited_for_beyond_the_time_limit(service: Service) -> None:
    service.keys.gate.clear()
    answered = await service.call(as_jwt(BODY, SIGNER), target_id="12")
    assert told(answered) == (503, UNAVAILABLE)


async def test_no_key_is_looked_for_before_the_call_is_signed(service: Service) -> None:
    service.keys.raises = Refusal(Kind.UNAVAILABLE, "not to be asked")
    body = as_jwt(BODY, SIGNER)
    answered = await service.calls.answer("11", header(body, key="another"), body)
    assert told(answered) == (401, UNPROVED)


async def test_a_replay_is_refused(service: Service) -> None:
    signature = header(BODY)
    first = await service.calls.answer("7", signature, BODY)
    service.now_s += 60
    again = await service.calls.answer("7", signature, BODY)
    with_more = await service.calls.answer("7", f"{signature},v1={'0' * 64}", BODY)
    assert [first.status, again.status, with_more.status] == [200, 401, 401]
    assert len(service.engine.requests) == 1


async def test_equal_calls_of_one_second_are_answered(service: Service) -> None:
    answers = [await service.call(BODY) for _ in range(3)]
    assert [each.status for each in answers] == [200, 200, 200]


async def test_a_signature_is_remembered_for_its_own_target(service: Service) -> None:
    await service.calls.answer("7", header(BODY), BODY)
    service.now_s += 60
    assert (await service.calls.answer("8", header(BODY), BODY)).status == 200


@cases(
    "body, text",
    {
        "no JSON": (b"{", "payload: expected JSON"),
        "no user": (
            b'{"function":"function/preuserinfo"}',
            "user: expected an object, got nothing",
        ),
        "a value of the wrong type": (
            payload(user={"id": ADA, "resource_owner": THERE, "sequence": "x"}),
            "context.user.sequence: expected an integer from 0 to 9223372036854775807, got 'x'",
        ),
        "a large one": (b"[" + b" " * (64 << 10), "payload: expected JSON"),
    },
)
async def test_a_payload_that_does_not_fit_is_refused(
    service: Service, body: bytes, text: str
) -> None:
    answered = await service.call(body)
    assert (answered.status, json.loads(answered.body)["message"]) == (400, text)
    assert (service.counts.outcomes, service.engine.requests) == (["invalid"], [])


@cases(
    "body, outcome",
    {
        "of an organisation that is not bound": (payload(org_id=HERE), "unbound"),
        "of a trigger without actions": (payload("preaccesstoken"), "ok"),
    },
)
async def test_a_call_without_actions_changes_nothing(
    service: Service, body: bytes, outcome: str
) -> None:
    assert told(await service.call(body)) == (200, "{}")
    assert (service.counts.outcomes, service.log.told()) == ([outcome], [])


@cases("members", {"small": {}, "large": {"userinfo": {"a": "x" * (64 << 10)}}})
async def test_actions_of_the_bound_organisation_run_and_are_answered(
    service: Service, members: dict[str, Any]
) -> None:
    service.engine.effects = Effects(
        claims={"a": [1]}, fields={}, metadata=(MetadataEffect("k", b"1"),), grants=(),
        attributes=(),
    )  # fmt: skip
    answered = await service.call(payload(**members))
    assert json.loads(answered.body) == {
        "append_claims": [{"key": "a", "value": [1]}],
        "set_user_metadata": [{"key": "k", "value": "MQ=="}],
    }
    (request,) = service.engine.requests
    assert (request.flow_type, request.trigger_type, request.org_id) == (2, 4, HERE)
    (run,) = service.log.told()
    assert (run.target_id, run.user_id, run.flow_type, run.trigger_type, run.state) == (
        "7", ADA, "2", "4", pb.RUN_STATE_SUCCEEDED,
    )  # fmt: skip
    assert service.counts.outcomes == ["ok"]


@cases(
    "target_id, expected",
    {
        "the login fails": (
            "7",
            {
                "forwardedStatusCode": 412,
                "forwardedErrorMessage": "action 'add' failed: Error: no at add (<eval>:1:2)",
            },
        ),
        "the login goes on": ("8", {}),
    },
)
async def test_a_run_that_fails_is_answered_as_the_target_says(
    service: Service, target_id: str, expected: dict[str, Any]
) -> None:
    service.engine.failure = Failure("Error: no at add (<eval>:1:2)", 1, 2)
    answered = await service.call(BODY, target_id=target_id)
    assert (answered.status, json.loads(answered.body)) == (200, expected)
    (run,) = service.log.told()
    assert run.state == pb.RUN_STATE_FAILED
    assert service.counts.outcomes == ["failed"]


CREATION = json.dumps(
    {
        "fullMethod": "/zitadel.user.v2.UserService/AddHumanUser",
        "request": {"organization": {"orgId": THERE}, "username": "ada"},
        "response": {"userId": ADA},
    }
).encode()


@cases(
    "body, failure, answer, outcome",
    {
        "a method without a trigger": (
            b'{"fullMethod":"/zitadel.user.v2.UserService/DeleteUser"}', None, "", "ok",
        ),
        "an event without a trigger": (b'{"event_type":"user.locked"}', None, "{}", "ok"),
        "a response that no action changes": (CREATION, None, "", "ok"),
        "a run that fails, of a target that ignores failures": (
            CREATION, Failure("Error: no"), "", "failed",
        ),
        "an organisation that is not bound": (
            CREATION.replace(THERE.encode(), b"404"), None, "", "unbound",
        ),
    },
)  # fmt: skip
async def test_a_message_that_is_to_stay_is_answered_by_nothing(
    service: Service, body: bytes, failure: Failure | None, answer: str, outcome: str
) -> None:
    service.engine.failure = failure
    assert told(await service.call(body, target_id="8")) == (200, answer)
    assert service.counts.outcomes == [outcome]


async def test_effects_that_no_answer_can_have_are_a_warning(service: Service) -> None:
    service.engine.effects = replace(NOTHING, grants=(GrantEffect("1", "", ("a",)),))
    with structlog.testing.capture_logs() as captured:
        assert told(await service.call(CREATION)) == (200, "")
    warning = captured[0]
    assert warning.pop("run")
    assert warning == {
        "event": "effects of a run cannot be applied",
        "log_level": "warning",
        "target": "7",
        "effects": "grants",
        "reason": "the target has no service account",
    }


async def test_the_text_of_a_failure_is_bounded(service: Service) -> None:
    service.engine.failure = Failure("x" * 100_000)
    answered = await service.call(BODY)
    assert len(json.loads(answered.body)["forwardedErrorMessage"]) < 700


@cases(
    "error, status, text, outcome",
    {
        "too many runs": (Overloaded(), 503, BUSY, "refused"),
        "no worker": (Unavailable(), 503, UNAVAILABLE, "unavailable"),
    },
)
async def test_a_run_that_cannot_be_made_is_an_error(
    service: Service, error: ExecutionError, status: int, text: str, outcome: str
) -> None:
    service.engine.raises = error
    assert told(await service.call(BODY)) == (status, text)
    assert service.counts.outcomes == [outcome]


async def test_a_run_that_takes_too_long_ends_before_the_time_limit(service: Service) -> None:
    service.engine.may_end.clear()
    answered = await service.call(BODY, target_id="9")
    assert told(answered) == (504, '{"message":"the actions took longer than 0.001 s"}')
    (run,) = service.log.told()
    assert run.state == pb.RUN_STATE_ABANDONED
    assert service.counts.outcomes == ["late"]


async def test_a_caller_that_leaves_ends_its_run(service: Service) -> None:
    service.engine.may_end.clear()
    task = asyncio.create_task(service.call(BODY))
    await service.engine.has_begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (run,) = service.log.told()
    assert (run.state, service.counts.outcomes) == (pb.RUN_STATE_ABANDONED, ["abandoned"])


async def test_storage_that_fails_is_an_error_without_its_text(service: Service) -> None:
    service.targets.fails = True
    assert told(await service.call(BODY)) == (503, UNAVAILABLE)
    assert service.counts.outcomes == ["unavailable"]


async def test_calls_beyond_the_limit_are_refused_at_once(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_calls, "CALLS_MAX", 1)
    service.engine.may_end.clear()
    first = asyncio.create_task(service.call(BODY))
    await service.engine.has_begun.wait()
    assert told(await service.call(BODY)) == (503, BUSY)
    service.engine.may_end.set()
    assert (await first).status == 200
    assert (await service.call(BODY)).status == 200


async def test_a_full_pool_of_threads_is_an_error(service: Service) -> None:
    closed = ThreadPool("full", threads_max=1)
    closed.close()
    calls = TargetCalls(
        service.targets,
        ActiveScripts(Reads()),
        TriggerRuns(
            service.engine, RunRecorder(service.log, lines=False), IdGenerator(7), threads=closed
        ),
        keys=service.keys,
        threads=closed,
        clock=lambda: NOW_S * 1_000_000,
    )
    body = payload(userinfo={"a": "x" * (64 << 10)})
    assert told(await calls.answer("7", header(body), body)) == (503, BUSY)


async def test_a_run_is_a_line_in_the_log_that_names_its_target(service: Service) -> None:
    runs = TriggerRuns(
        service.engine, RunRecorder(service.log, lines=True), IdGenerator(7), threads=THREADS
    )
    calls = TargetCalls(
        service.targets,
        ActiveScripts(Reads()),
        runs,
        keys=service.keys,
        threads=THREADS,
        clock=lambda: NOW_S * 1_000_000,
    )
    with structlog.testing.capture_logs() as captured:
        await calls.answer("7", header(BODY), BODY)
    (line,) = captured
    named = {key: line[key] for key in ("event", "source", "target", "user", "org", "state")}
    assert named == {
        "event": "run",
        "source": "target",
        "target": "7",
        "user": ADA,
        "org": HERE,
        "state": "succeeded",
    }


@cases(
    "body, line",
    {
        "that runs": (BODY, {"outcome": "ok", "target": "7", "log_level": "info"}),
        "that is invalid": (
            b"{",
            {
                "outcome": "invalid",
                "target": "7",
                "reason": "payload: expected JSON",
                "log_level": "info",
            },
        ),
    },
)
async def test_a_call_is_a_line_in_the_log(
    service: Service, body: bytes, line: dict[str, str]
) -> None:
    with structlog.testing.capture_logs() as captured:
        await service.call(body)
    (logged,) = captured
    assert logged.pop("ms") >= 0
    assert logged == {"event": "target called", **line}
