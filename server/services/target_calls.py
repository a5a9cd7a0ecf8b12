"""Answers ZITADEL's calls of targets: proves them, runs the user's organisation's actions.

Follows docs/bridge.md. It knows requests as a header and a body, not HTTP.

Rule 1: before the call is proved, nothing of the body is parsed, run or logged, and every
refusal has the same text.
Rule 2: an organisation that is not bound, or has no active actions at the trigger, changes nothing.
"""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import replace
from typing import Final, NamedTuple, Protocol

import orjson
import structlog

from server.bridge import payloads, signature
from server.bridge.calls import Ignored, TargetCall, failure_of
from server.bridge.payload_values import BadPayload
from server.bridge.replays import Replays
from server.bridge.signature import BadSignature
from server.bridge.targets import Target
from server.bridge.trials import NO_ACCOUNT, READ, Trial, trial_answer
from server.clock import Clock, elapsed_clock, wall_clock
from server.domain.refusals import Refusal
from server.runs.shortening import shorten_text
from server.scripts.contract import (
    BadContext,
    ExecutionError,
    NoMetadata,
    Overloaded,
    PackedContext,
)
from server.scripts.host import contexts
from server.services import leftovers
from server.services.active_scripts import ActiveScripts
from server.services.payload_opening import PayloadKeys, PayloadOpening
from server.services.sized_work import SizedWork
from server.services.trigger_runs import EndedRun, TriggerRuns
from server.store.errors import StorageError
from server.threads import ThreadPool, TooManyWaiting
from server.triggers import ALL_TRIGGERS, PRE_SAML_RESPONSE, Trigger
from server.upstream import sessions
from server.upstream.account_client import AccountClient, Unanswered
from server.upstream.metadata import READ_MAX_S, CallMetadata, Place, UpstreamMetadata

BODY_MAX_BYTES: Final = 1 << 20
"""Max bytes of a payload."""

CALLS_MAX: Final = 500
"""Max calls in flight of all targets; half of what callers of the API may have."""

REASON_MAX_BYTES: Final = 600
"""Max bytes of a script's error in an answer."""

_US: Final = 1_000_000
_UNPROVED: Final = "the call is not signed by the target's key, or not now"
_BUSY: Final = "too much to do, try again later"
_UNAVAILABLE: Final = "actions cannot be run now"

log = structlog.get_logger()


class TargetAnswer(NamedTuple):
    """Holds an answer: its HTTP status, and its body, which is JSON."""

    status: int
    body: bytes


class Targets(Protocol):
    """Finds targets; `kept_targets.KeptTargets` does."""

    async def find(self, target_id: str) -> Target | None: ...


class Observer(Protocol):
    """Counts calls of targets by their outcome."""

    def call_ended(self, outcome: str, seconds: float) -> None: ...


class _Refused(Exception):
    """The call is answered with an error; the reason is for the operator."""

    def __init__(self, status: int, outcome: str, text: str, *, reason: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.outcome = outcome
        self.reason = reason or text


class TargetCalls:
    """Answers the calls of all targets."""

    def __init__(
        self,
        targets: Targets,
        active: ActiveScripts,
        runs: TriggerRuns,
        *,
        keys: PayloadKeys,
        threads: ThreadPool,
        upstream: UpstreamMetadata | None = None,
        client: AccountClient | None = None,
        observer: Observer | None = None,
        lines: bool = False,
        clock: Clock = wall_clock,
        elapsed: Clock = elapsed_clock,
    ) -> None:
        """Takes the parts that it needs.

        Args:
            targets: by id.
            active: scripts of triggers.
            runs: runs them.
            keys: of issuers that sign payloads.
            threads: hash and parse large bodies.
            upstream: reads metadata; None leaves it empty.
            client: asks a ZITADEL what payloads lack, and writes what answers cannot have.
            observer: counts calls.
            lines: True writes a line for each call to the server's log.
            clock: the wall clock, which times of signatures are compared with.
            elapsed: a clock that is never set back.
        """
        self._targets = targets
        self._active = active
        self._runs = runs
        self._work = SizedWork(threads)
        self._opening = PayloadOpening(keys, self._work)
        self._upstream = upstream
        self._client = client
        self._observer = observer
        self._lines = lines
        self._clock = clock
        self._elapsed = elapsed
        self._replays: dict[str, Replays] = {}
        self._in_flight = 0

    async def answer(self, target_id: str, header: str | None, body: bytes) -> TargetAnswer:
        """Answers a call.

        Args:
            target_id: of the path.
            header: the value of `signature.HEADER`; None without one.
            body: as it was sent.
        """
        since_ns = time.monotonic_ns()
        self._in_flight += 1
        outcome, refused = "abandoned", ""
        try:
            if self._in_flight > CALLS_MAX:
                raise _Refused(503, "refused", _BUSY)
            outcome, made = await self._answer(target_id, header, body, since_ns)
            return TargetAnswer(200, made)
        except _Refused as error:
            outcome, refused = error.outcome, error.reason
            return TargetAnswer(error.status, orjson.dumps({"message": str(error)}))
        except TooManyWaiting:
            outcome, refused = "refused", _BUSY
            return TargetAnswer(503, orjson.dumps({"message": _BUSY}))
        except StorageError as error:
            outcome, refused = "unavailable", str(error)
            return TargetAnswer(503, orjson.dumps({"message": _UNAVAILABLE}))
        finally:
            self._in_flight -= 1
            self._ended(target_id, outcome, refused, since_ns)

    async def _answer(
        self, target_id: str, header: str | None, body: bytes, since_ns: int
    ) -> tuple[str, bytes]:
        """Returns the outcome and the body of an answer with the status 200."""
        target = await self._proved(target_id, header, body)
        ends_at = asyncio.get_running_loop().time() + target.deadline_s
        body = await self._opened(target, body)
        size = len(body)
        try:
            call = await self._work.run(target.id, size, payloads.read_call, body)
            if isinstance(call, Ignored):
                return "ok", call.unchanged
            if isinstance(call, TargetCall):
                call = await self._with_user(target, call)
            org_id = target.orgs.get(call.org_id)
            if isinstance(call, Trial):
                return await self._tried(target, call.org_id, org_id)
            if org_id is None:
                return "unbound", call.answers.unchanged
            scripts = await self._active.of(org_id, *call.trigger)
            if not scripts:
                return "ok", call.answers.unchanged
            packed = await self._work.run(org_id, size, _pack, call)
        except (BadPayload, BadContext) as error:
            raise _Refused(400, "invalid", str(error)) from None
        del body
        run = self._runs.started(org_id, call.user_id, *call.trigger, scripts, target_id=target.id)
        metadata = self._metadata_of(target, call)
        running = self._runs.run(run, scripts, packed, since_ns=since_ns, metadata=metadata)
        del packed
        ended = await _within(ends_at, target.deadline_s, running)
        if ended.result.failed is not None:
            if target.ignores_failures:
                return "failed", call.answers.unchanged
            return "failed", _failure(ended)
        effects = ended.result.effects
        if (left := call.answers.left(effects)).names:
            await leftovers.apply(
                left, client=self._client, target=target, call=call, run=run, ends_at=ends_at
            )
        if metadata is not None and effects.metadata:
            metadata.user_changes()
        return "ok", await self._runs.make(org_id, ended.result, call.answers.made, effects)

    async def _tried(self, target: Target, there: str, org_id: str | None) -> tuple[str, bytes]:
        """Returns the outcome and the answer of a trial, for an organisation there and here."""
        if org_id is None:
            return "unbound", trial_answer(None, {})
        scripts = {trigger: await self._active.of(org_id, *trigger) for trigger in ALL_TRIGGERS}
        names = {trigger: [each.name for each in found] for trigger, found in scripts.items()}
        actions: dict[Trigger, list[str]] = {at: each for at, each in names.items() if each}
        metadata = await self._metadata_tried(target, there)
        return "ok", trial_answer(org_id, actions, metadata=metadata)

    async def _metadata_tried(self, target: Target, org_id: str) -> str:
        """Returns what a trial says of metadata of an organisation there."""
        if target.account is None or self._upstream is None:
            return NO_ACCOUNT
        try:
            await self._upstream.read(Place(target.account, org_id), within_s=_wait_max_s(target))
        except NoMetadata as error:
            return str(error)
        return READ

    async def _with_user(self, target: Target, call: TargetCall) -> TargetCall:
        """Returns the call of a session with its user, if there is an account that can read it."""
        if not call.session_id or target.account is None or self._client is None:
            return call
        try:
            async with asyncio.timeout(_wait_max_s(target)):
                user = await sessions.user_of(
                    self._client, target.account, call.session_id, org_id=call.org_id
                )
        except (Unanswered, TimeoutError) as error:
            reason = str(error) or "no answer in time"
            log.warning(
                "the user of a session cannot be read", issuer=target.account.issuer, reason=reason
            )
            raise _Refused(503, "unavailable", _UNAVAILABLE, reason=reason) from None
        return replace(call, user_id=user.user_id, org_id=user.org_id)

    def _metadata_of(self, target: Target, call: TargetCall) -> CallMetadata | None:
        """Returns what reads the metadata that the payload lacks; None without an account."""
        if target.account is None or self._upstream is None:
            return None
        return CallMetadata(
            self._upstream,
            Place(target.account, call.org_id, call.user_id),
            granting=call.granting_org_ids,
            has_user=call.trigger != PRE_SAML_RESPONSE,
            within_s=_wait_max_s(target),
        )

    async def _proved(self, target_id: str, header: str | None, body: bytes) -> Target:
        """Returns the target of a call that its key signed, now and for the first time."""
        try:
            target = await self._targets.find(target_id)
            if target is None or not target.signing_key:
                raise BadSignature("no such target, or no signing key yet")
            signed = signature.parse(header, now_s=self._clock() // _US)
            proof = await self._work.run(
                target.id, len(body), signature.verify, signed, body, key=target.signing_key
            )
            replays = self._replays.setdefault(target.id, Replays())
            if replays.is_replay(proof, at_s=int(signed.at_s), now_s=self._elapsed() // _US):
                raise BadSignature("a call that came before")
        except BadSignature as error:
            raise _Refused(401, "unproved", _UNPROVED, reason=str(error)) from None
        return target

    async def _opened(self, target: Target, body: bytes) -> bytes:
        """Returns the JSON of a payload whose signature was verified."""
        try:
            async with asyncio.timeout(target.deadline_s):
                return await self._opening.open(target, body)
        except BadSignature as error:
            raise _Refused(401, "unproved", _UNPROVED, reason=str(error)) from None
        except (Refusal, TimeoutError):
            reason = f"the keys of {target.issuer} are unavailable"
            raise _Refused(503, "unavailable", _UNAVAILABLE, reason=reason) from None

    def _ended(self, target_id: str, outcome: str, refused: str, since_ns: int) -> None:
        took_ns = time.monotonic_ns() - since_ns
        if self._observer is not None:
            self._observer.call_ended(outcome, took_ns / 1e9)
        if self._lines:
            log.info(
                "target called",
                target=target_id[:40],
                outcome=outcome,
                ms=took_ns // 10_000 / 100,
                **({"reason": refused} if refused else {}),
            )


async def _within(
    ends_at: float, seconds: float, running: Coroutine[object, object, EndedRun]
) -> EndedRun:
    """Returns a run that ends in time.

    Args:
        ends_at: of the loop's clock.
        seconds: the time that the whole call had.
        running: the run.

    Raises:
        _Refused: it took longer, or could not be made.
    """
    try:
        async with asyncio.timeout_at(ends_at):
            return await running
    except TimeoutError:
        text = f"the actions took longer than {seconds:g} s"
        raise _Refused(504, "late", text) from None
    except Overloaded:
        raise _Refused(503, "refused", _BUSY) from None
    except ExecutionError as error:
        log.error("scripts cannot be run", reason=str(error))
        raise _Refused(503, "unavailable", _UNAVAILABLE) from None


def _wait_max_s(target: Target) -> float:
    """Returns the max seconds that a call waits for an answer of ZITADEL."""
    return min(READ_MAX_S, target.deadline_s / 2)


def _pack(call: TargetCall) -> PackedContext:
    return contexts.pack(*call.trigger, call.context)


def _failure(ended: EndedRun) -> bytes:
    """Returns the answer of a failed run, which its last action caused."""
    last = ended.actions[-1]
    reason = shorten_text(last.failure.text, REASON_MAX_BYTES)
    return orjson.dumps(failure_of(last.name, reason))
