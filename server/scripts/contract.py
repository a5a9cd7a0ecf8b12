"""Defines the request of a run, its result and its errors.

Rule: no behaviour. The caller selects the scripts and applies the effects.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

RUN_TIMEOUT_MAX_NS: Final = 20 * 10**9
"""Max nanoseconds of an action; also of an action without a timeout."""

EVALUATE_MAX_NS: Final = 5 * 10**9
"""Max nanoseconds of that for evaluating the script, before its function is called."""

LogLevel: TypeAlias = Literal["debug", "info", "warn", "error"]


def effective_timeout_ns(timeout_ns: int) -> int:
    """Returns the timeout that applies to an action, from its stored one."""
    return timeout_ns if 0 < timeout_ns < RUN_TIMEOUT_MAX_NS else RUN_TIMEOUT_MAX_NS


class NoMetadata(Exception):
    """Metadata cannot be read; the text is for the script that asks."""


class MetadataSource(Protocol):
    """Reads metadata that the context of a run lacks, when a script asks for it.

    Attributes:
        parts: parts of the context that are read here: "orgMetadata", "userMetadata".
    """

    @property
    def parts(self) -> frozenset[str]: ...

    async def read(self, part: str, org_id: str) -> bytes:
        """Returns the list as `contexts.metadata_json` has it.

        Args:
            part: one of `parts`.
            org_id: the granting organisation; empty for the part of the context itself.

        Raises:
            NoMetadata: it cannot be read.
        """


class ExecutionError(Exception):
    """The run failed, and not because of its actions."""


class UnknownTrigger(ExecutionError):
    """The flow has no such trigger."""


class BadContext(ExecutionError):
    """The context does not match the trigger's schema; the text names the path."""


class Overloaded(ExecutionError):
    """Too many runs wait, or this one waited too long: no action ran."""


class Unavailable(ExecutionError):
    """No worker process is available; some or all actions did not run."""


@dataclass(frozen=True, slots=True)
class Script:
    """Describes an action to run.

    Attributes:
        timeout_ns: as stored; see `effective_timeout_ns`.
        allowed_to_fail: if it fails, the run goes on.
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
    """Holds a checked and completed context in a compact form, as runs may wait long.

    Attributes:
        parts: by key; each is a JSON string that has JSON, which scripts parse when they read it.
        size: bytes of all parts.
    """

    parts: dict[str, bytes]
    size: int


@dataclass(frozen=True, slots=True)
class RunRequest:
    """Asks to run the actions of a trigger.

    Attributes:
        org_id: organisation of the run; organisations take turns.
        context: of this trigger; see `contexts.pack`.
        scripts: in the order in which they run.
        metadata: reads what the context lacks; None if the context has all there is.
    """

    flow_type: int
    trigger_type: int
    org_id: str
    context: PackedContext
    scripts: tuple[Script, ...]
    metadata: MetadataSource | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    level: LogLevel
    text: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Says why an action failed.

    Attributes:
        text: for people, with function, line and column if known.
        line: in the script, from 1; 0 if unknown.
        column: in the line, from 1; 0 if unknown.
        timed_out: True if it was ended at its deadline.
        killed: True if its process was killed or exited.
    """

    text: str
    line: int = 0
    column: int = 0
    timed_out: bool = False
    killed: bool = False


@dataclass(frozen=True, slots=True)
class ActionResult:
    """Holds the result of one action.

    Attributes:
        failure: None if it succeeded.
        duration_us: microseconds that it ran in a process.
        queue_us: microseconds that it waited for a process before.
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
    """Holds the changes that the actions of a run asked for.

    Attributes:
        claims: custom claims, and claims with logs of actions, in the order of setting.
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
    """Holds the result of a run.

    Attributes:
        effects: of all actions; of failed ones, those from before the failure.
        actions: in order; without those after the failure that ended the run.
        failed: the action whose failure ended the run; None if the run succeeded.
    """

    effects: Effects
    actions: tuple[ActionResult, ...]
    failed: ActionResult | None


@dataclass(frozen=True, slots=True)
class ScriptCheck:
    """Holds the result of evaluating a script without calling its function.

    Attributes:
        parses: True if the script has no syntax error.
        has_function: True if it defines a function of the name.
        failure: why it does not parse, or failed to evaluate; None otherwise.
    """

    parses: bool
    has_function: bool
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class Options:
    """Holds the limits of scripts.

    Attributes:
        workers_max: max worker processes; 0 is four for each core. They have a lower priority than
            the service, and many only wait for the network.
        workers_warm: processes that are started at the beginning and kept; 0 is one for each core.
        queue_max: max runs that wait for a process, at most half of them of one organisation.
        queue_timeout_s: max seconds that a run waits.
        waiting_max_bytes: max bytes of contexts and scripts of waiting runs, at most half of them
            of one organisation.
        runs_max: actions after which a process is replaced.
        heap_max_bytes: max bytes of the values of a script.
        memory_max_bytes: max bytes of address space of a process.
        deny: CIDR, IP or exact host names that scripts may not reach, beside addresses that are
            never public; see `addresses`.
        allow: the same form; takes precedence over `deny`.
        dns_servers: name servers for the hosts of fetches, as "address:port" or "[IPv6]:port";
            empty for the system's.
    """

    workers_max: int = 0
    workers_warm: int = 0
    queue_max: int = 512
    queue_timeout_s: float = 10.0
    waiting_max_bytes: int = 64 << 20
    runs_max: int = 2_000
    heap_max_bytes: int = 64 << 20
    memory_max_bytes: int = 512 << 20
    deny: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    dns_servers: tuple[str, ...] = ()
