"""What goes into a run of a trigger's actions, what comes out, what can be wrong.

Rule: data only. Who selects the scripts, and what is done with the effects, is the caller's affair.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

RUN_TIMEOUT_MAX_NS: Final = 20 * 10**9
"""The most an action may take; also what one without a timeout of its own may take."""

EVALUATE_MAX_NS: Final = 5 * 10**9
"""The part of it in which the script itself must be evaluated, before its function is called."""

LogLevel: TypeAlias = Literal["debug", "info", "warn", "error"]


def effective_timeout_ns(timeout_ns: int) -> int:
    """Returns what an action may take, by its stored timeout."""
    return timeout_ns if 0 < timeout_ns < RUN_TIMEOUT_MAX_NS else RUN_TIMEOUT_MAX_NS


class ExecutionError(Exception):
    """A run that could not be made; the actions are not to blame."""


class UnknownTrigger(ExecutionError):
    """The flow has no such trigger."""


class BadContext(ExecutionError):
    """The context is not what the trigger's scripts are promised; the text names the path."""


class Overloaded(ExecutionError):
    """Too many runs wait already, or this one waited too long: nothing was run."""


class Unavailable(ExecutionError):
    """No process can be had to run scripts in: nothing was run, or not all."""


@dataclass(frozen=True, slots=True)
class Script:
    """An action, as it is run.

    Attributes:
        timeout_ns: as stored; see `effective_timeout_ns`.
        allowed_to_fail: its failure is told but does not end the run.
    """

    action_id: str
    name: str
    source: str
    timeout_ns: int = 0
    allowed_to_fail: bool = False

    @property
    def effective_timeout_ns(self) -> int:
        return effective_timeout_ns(self.timeout_ns)


@dataclass(frozen=True, slots=True)
class PackedContext:
    """A context as it is kept while its run waits: checked, complete, and compact.

    Attributes:
        parts: by name, each JSON as a text in JSON, which is what the script side reads.
        size: bytes of all parts.
    """

    parts: dict[str, bytes]
    size: int


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A trigger that fires.

    Attributes:
        org_id: whose run it is, for fairness between organisations.
        context: of the same trigger; see `contexts.pack`.
        scripts: active ones only, in the order in which they run.
    """

    flow_type: int
    trigger_type: int
    org_id: str
    context: PackedContext
    scripts: tuple[Script, ...]


@dataclass(frozen=True, slots=True)
class LogLine:
    level: LogLevel
    text: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an action failed.

    Attributes:
        text: as a person reads it, with function, line and column where they are known.
        line: in the script, from 1; 0 if unknown.
        column: the same.
        timed_out: it was ended at its deadline.
        killed: its process had to be ended, or ended.
    """

    text: str
    line: int = 0
    column: int = 0
    timed_out: bool = False
    killed: bool = False


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What became of one action.

    Attributes:
        failure: None if it succeeded.
        duration_us: from the hand-over to the end.
        queue_us: before that, waiting for a process.
    """

    action_id: str
    name: str
    failure: Failure | None
    duration_us: int
    queue_us: int
    logs: tuple[LogLine, ...] = ()


@dataclass(frozen=True, slots=True)
class MetadataEffect:
    key: str
    value: bytes


@dataclass(frozen=True, slots=True)
class GrantEffect:
    project_id: str
    project_grant_id: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AttributeEffect:
    name: str
    name_format: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Effects:
    """What the actions of a run asked for, in all; empty where the trigger has no such thing.

    Attributes:
        claims: custom claims, logs of actions among them, in the order in which they were set.
        fields: of the user: "firstName", "isEmailVerified", ...
        metadata: of the user; of flows 2 and 4 each key once, with its last value.
        grants: to the user.
        attributes: of the SAML response.
    """

    claims: Mapping[str, JsonValue]
    fields: Mapping[str, str | bool | int]
    metadata: tuple[MetadataEffect, ...]
    grants: tuple[GrantEffect, ...]
    attributes: tuple[AttributeEffect, ...]


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run did.

    Attributes:
        effects: also those of actions that failed, as far as they came.
        actions: in order; those after a failure that ends the run are not there.
        failed: the action that ended the run, which then fails as a whole; else None.
    """

    effects: Effects
    actions: tuple[ActionResult, ...]
    failed: ActionResult | None


@dataclass(frozen=True, slots=True)
class ScriptCheck:
    """What can be said of a script without calling its function.

    Attributes:
        parses: it is a script at all.
        has_function: evaluating it leaves a function of the name.
        failure: why it does not parse, or could not be evaluated.
    """

    parses: bool
    has_function: bool
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class Options:
    """What scripts may use.

    Attributes:
        workers_max: processes at most; 0: four for each core. They run at a lower priority than
            the service, so more than cores cost it nothing, and some only wait for an answer.
        workers_warm: started at once, and kept; 0: one for each core.
        queue_max: runs that wait for a process, half of them of one organisation; one more is
            refused.
        queue_timeout_s: that one waits at most.
        waiting_max_bytes: of contexts and scripts that waiting runs keep, half of them of one
            organisation; more is refused.
        runs_max: actions after which a process is replaced.
        heap_max_bytes: of the values of a script.
        memory_max_bytes: of the whole process, as address space.
        deny: addresses that scripts may not reach, as CIDR, IP or exact host name, beside those
            that are never public; see `addresses`.
        allow: as `deny`, and stronger than it.
        dns_servers: name servers that look up what scripts fetch from, as "address:port" or
            "[IPv6]:port"; none for the system's.
    """

    workers_max: int = 0
    workers_warm: int = 0
    queue_max: int = 512
    queue_timeout_s: float = 10.0
    waiting_max_bytes: int = 64 << 20
    runs_max: int = 500
    heap_max_bytes: int = 64 << 20
    memory_max_bytes: int = 512 << 20
    deny: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    dns_servers: tuple[str, ...] = ()
