"""Describes the organisations, actions and flows of a source: a ZITADEL, its export, or a folder.

Follows docs/api.md for the limits of each field, and `server.triggers` for the pairs of flow and
trigger. No I/O.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from google.protobuf.duration_pb2 import Duration

from server.domain.action import ActionState
from server.domain.flow import flow_type, trigger_type
from server.domain.names import fold
from server.triggers import ALL_TRIGGERS, FlowType, Trigger

NAME_MAX_CHARS: Final = 200
SCRIPT_MAX_BYTES: Final = 40_000
TIMEOUT_NS_MAX: Final = 20_000_000_000
ID_MAX_CHARS: Final = 200

_SHOWN_CHARS: Final = 60


class SourceError(Exception):
    """A source cannot be read, or has what cannot be imported; the text says where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceAction:
    """Describes an action.

    Attributes:
        state: None if the source does not say.
        created_at: when it was made, None if the source does not say; so too `changed_at`.
    """

    id: str
    name: str
    script: str
    timeout_ns: int = 0
    allowed_to_fail: bool = False
    state: ActionState | None = None
    created_at: int | None = None
    changed_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOrg:
    """Describes an organisation.

    Attributes:
        actions: in the order in which they were made.
        triggers: ids of actions in the order in which they run, by trigger.
        flows: the flows that the source knows; nothing is said of the others.
        flows_changed_at: when each flow was set last, as far as the source says.
    """

    id: str
    name: str
    created_at: int | None = None
    actions: Sequence[SourceAction] = ()
    triggers: Mapping[Trigger, tuple[str, ...]] = field(default_factory=dict)
    flows: frozenset[FlowType] = frozenset(FlowType)
    flows_changed_at: Mapping[FlowType, int] = field(default_factory=dict)


def checked(orgs: Iterable[SourceOrg]) -> list[SourceOrg]:
    """Returns the organisations, each of which can be imported.

    Raises:
        SourceError: some cannot; the text has a line for each reason.
    """
    found = list(orgs)
    faults = [fault for org in found for fault in _faults_of(org)]
    faults += _twice((org.id for org in found), "organisation")
    if faults:
        raise SourceError("\n".join(faults))
    return found


def trigger_named(flow: str, trigger: str) -> Trigger:
    """Returns the trigger of both names, which are numbers or as the API names them.

    Raises:
        SourceError: there is no such trigger.
    """
    found = (flow_type(flow), trigger_type(trigger))
    for known in ALL_TRIGGERS:
        if known == found:
            return known
    raise SourceError(f"expected a flow and one of its triggers, got {flow!r} and {trigger!r}")


def timeout_of(text: str) -> int:
    """Returns the nanoseconds of a duration in ProtoJSON, "10s".

    Raises:
        SourceError: it is no duration.
    """
    duration = Duration()
    try:
        duration.FromJsonString(text)
    except ValueError:
        raise SourceError(f'timeout: expected seconds as "10s", got {_shown(text)}') from None
    return duration.ToNanoseconds()


def duration_text(timeout_ns: int) -> str:
    """Returns the text of which `timeout_of` makes the nanoseconds."""
    duration = Duration()
    duration.FromNanoseconds(timeout_ns)
    return duration.ToJsonString()


def _faults_of(org: SourceOrg) -> Iterable[str]:
    named = f"organisation {_shown(org.id)}"
    if not _is_id(org.id):
        yield f"{named}: expected an id of 1 to {ID_MAX_CHARS} printable characters"
    if not 1 <= len(org.name) <= NAME_MAX_CHARS:
        yield f"{named}: expected a name of 1 to {NAME_MAX_CHARS} characters, got {len(org.name)}"
    for action in org.actions:
        yield from (f"{named}: {fault}" for fault in _faults_of_action(action))
    yield from (f"{named}: {fault}" for fault in _twice((a.id for a in org.actions), "action"))
    yield from (f"{named}: {fault}" for fault in _same_names(org.actions))
    known = {action.id for action in org.actions}
    for (flow, trigger), ids in org.triggers.items():
        where = f"{named}: flow {flow:d}, trigger {trigger:d}"
        for id_ in ids:
            if id_ not in known:
                yield f"{where}: there is no action {_shown(id_)}"
        yield from (f"{where}: {fault}" for fault in _twice(ids, "action"))


def _faults_of_action(action: SourceAction) -> Iterable[str]:
    named = f"action {_shown(action.id)} ({_shown(action.name)})"
    if not _is_id(action.id):
        yield f"{named}: expected an id of 1 to {ID_MAX_CHARS} printable characters"
    if not 1 <= len(action.name) <= NAME_MAX_CHARS:
        length = len(action.name)
        yield f"{named}: expected a name of 1 to {NAME_MAX_CHARS} characters, got {length}"
    size = len(action.script.encode("utf-8", "surrogatepass"))
    if not 1 <= size <= SCRIPT_MAX_BYTES:
        yield f"{named}: expected a script of 1 to {SCRIPT_MAX_BYTES} bytes, got {size}"
    if not 0 <= action.timeout_ns <= TIMEOUT_NS_MAX:
        yield f"{named}: expected a timeout of 0 to 20 s, got {action.timeout_ns / 1e9:g} s"


def _twice(ids: Iterable[str], kind: str) -> Iterable[str]:
    seen: set[str] = set()
    for id_ in ids:
        if id_ in seen:
            yield f"{kind} {_shown(id_)} is there twice"
        seen.add(id_)


def _same_names(actions: Iterable[SourceAction]) -> Iterable[str]:
    seen: dict[str, SourceAction] = {}
    for action in actions:
        other = seen.setdefault(fold(action.name), action)
        if other is not action:
            yield (
                f"actions {other.id} ({_shown(other.name)}) and {action.id} ({_shown(action.name)})"
                " have the same name, apart from case; rename one of them there"
            )


def _is_id(text: str) -> bool:
    return 1 <= len(text) <= ID_MAX_CHARS and text.isprintable()


def _shown(text: str) -> str:
    return ascii(text[:_SHOWN_CHARS])
