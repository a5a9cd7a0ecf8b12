"""Defines the request and the result of a run, and its errors.

Rule: data only. The caller selects the scripts and decides what to do with the effects.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

RUN_TIMEOUT_MAX_NS: Final = 20 * 10**9
"""Max nanoseconds of an action, and the timeout of an action without one."""

EVALUATE_MAX_NS: Final = 5 * 10**9
"""Max nanoseconds of them for evaluating the script, before its function is called."""

LogLevel: TypeAlias = Literal["debug", "info", "warn", "error"]


def effective_timeout_ns(timeout_ns: int) -> int:
    """Returns the timeout of an action by its stored one."""
    return timeout_ns if 0 < timeout_ns < RUN_TIMEOUT_MAX_NS else RUN_TIMEOUT_MAX_NS


class ExecutionError(Exception):
    """The run could not be made, for no fault of its actions."""


class UnknownTrigger(ExecutionError):
    """The flow has no such trigger."""


class BadContext(ExecutionError):
    """The context does not match the trigger's schema; the text names the path."""


class Overloaded(ExecutionError):
    """Too many runs wait, or this one waited too long: no action ran."""


class Unavailable(ExecutionError):
    """No worker process is available: none of the actions ran, or not all."""


@dataclass(frozen=True, slots=True)
class Script:
    """An action to run.

    Attributes:
        timeout_ns: as stored; see `effective_timeout_ns`.
        allowed_to_fail: its failure is reported but does not end the run.
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
    """A context that was checked and completed, in a compact form for a run that waits.

    Attributes:
        parts: by key; each is JSON in a JSON text, as scripts read it.
        size: bytes of all parts.
    """

    parts: dict[str, bytes]
    size: int


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A trigger whose actions are to run.

    Attributes:
        org_id: organisation of the run; organisations take turns.
        context: of this trigger; see `contexts.pack`.
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
    """The reason why an action failed.

    Attributes:
        text: for people, with function, line and column if known.
        line: in the script, from 1; 0 if unknown.
        column: in the line, from 1; 0 if unknown.
        timed_out: the action was ended at its deadline.
        killed: its process was killed, or exited.
    """

    text: str
    line: int = 0
    column: int = 0
    timed_out: bool = False
    killed: bool = False


@dataclass(frozen=True, slots=True)
class ActionResult:
    """The result of one action.

    Attributes:
        failure: None if it succeeded.
        duration_us: microseconds from its start in a process to its end.
        queue_us: microseconds of waiting for a process before that.
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
    """The changes that all actions of a run asked for.

    Attributes:
        claims: custom claims and logs of actions, in the order in which they were set.
        fields: of the user: "firstName", "isEmailVerified", ...
        metadata: of the user; in flows 2 and 4 each key once, with its last value.
        grants: for the user.
        attributes: of the SAML response.
    """

    claims: Mapping[str, JsonValue]
    fields: Mapping[str, str | bool | int]
    metadata: tuple[MetadataEffect, ...]
    grants: tuple[GrantEffect, ...]
    attributes: tuple[AttributeEffect, ...]


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of a run.

    Attributes:
        effects: also those that failed actions asked for before they failed.
        actions: in order, without those after the failure that ended the run.
        failed: the action whose failure ended the run; None if the run succeeded.
    """

    effects: Effects
    actions: tuple[ActionResult, ...]
    failed: ActionResult | None


@dataclass(frozen=True, slots=True)
class ScriptCheck:
    """The result of checking a script without calling its function.

    Attributes:
        parses: the script has no syntax error.
        has_function: evaluating it defines a function of the name.
        failure: the reason why it does not parse, or could not be evaluated.
    """

    parses: bool
    has_function: bool
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class Options:
    """Limits of scripts.

    Attributes:
        workers_max: max worker processes; 0: four for each core. They have a lower priority than
            the service, and some only wait for the network.
        workers_warm: processes that are started at once and kept; 0: one for each core.
        queue_max: max runs that wait for a process, half of them of one organisation; one more
            is refused.
        queue_timeout_s: max seconds that a run waits.
        waiting_max_bytes: max bytes of contexts and scripts of waiting runs, half of them of one
            organisation; more is refused.
        runs_max: actions after which a process is replaced.
        heap_max_bytes: of the values of a script.
        memory_max_bytes: of address space of a process.
        deny: addresses that scripts may not reach, as CIDR, IP or exact host name, beside those
            that are never public; see `addresses`.
        allow: as `deny`; takes precedence over it.
        dns_servers: name servers for the hosts of fetches, as "address:port" or "[IPv6]:port";
            empty for the system's.
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
