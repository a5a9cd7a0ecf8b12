"""Lists the conditions at which a ZITADEL calls a target, with the triggers that they run here.

Follows docs/bridge.md. Of the executions of a method, its service and all calls, ZITADEL takes the
nearest that has targets; so it does of an event, its groups and all events. No I/O.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from server.bridge import events, functions
from server.connecting.actions_api import Execution, There
from server.connecting.errors import ConnectError
from server.triggers import Trigger

Message = Mapping[str, object]

_USERS: Final = "zitadel.user.v2.UserService"
_SESSIONS: Final = "zitadel.session.v2.SessionService"


@dataclass(frozen=True, slots=True)
class Condition:
    """Describes a condition.

    Attributes:
        name: short, for options and texts.
        message: as ZITADEL has it.
        wider: messages of conditions that apply while this one has no targets, the nearest first.
        triggers: of actions that ZITADEL would run at it, too, if it has them.
    """

    name: str
    message: Message
    wider: tuple[Message, ...] = ()
    triggers: tuple[Trigger, ...] = ()

    @property
    def named(self) -> str:
        """Returns the condition for texts, as executions have it."""
        return Execution(self.message, ()).named


def _function(name: str, trigger: Trigger) -> Condition:
    short = name.removeprefix("function/")
    return Condition(short, {"function": {"name": short}}, triggers=(trigger,))


def _call(kind: str, service: str, method: str) -> Condition:
    wider = ({kind: {"service": service}}, {kind: {"all": True}})
    return Condition(f"{kind} {method}", {kind: {"method": f"/{service}/{method}"}}, wider)


def _event(name: str) -> Condition:
    parts = name.split(".")
    groups = [".".join(parts[:length]) for length in range(len(parts) - 1, 0, -1)]
    wider: list[Message] = [{"event": {"group": group}} for group in groups]
    wider.append({"event": {"all": True}})
    return Condition(f"event {name}", {"event": {"event": name}}, tuple(wider))


FUNCTIONS: Final = tuple(_function(*each) for each in functions.FUNCTIONS.items())
"""Conditions of tokens and SAML responses."""

LOGIN_V2: Final = (
    _call("response", _USERS, "RetrieveIdentityProviderIntent"),
    _call("request", _USERS, "AddHumanUser"),
    _call("request", _USERS, "CreateUser"),
    _call("response", _USERS, "AddHumanUser"),
    _call("response", _USERS, "CreateUser"),
    _call("response", _SESSIONS, "CreateSession"),
    _call("response", _SESSIONS, "SetSession"),
    _event(events.PASSWORD_FAILED),
)
"""Conditions in place of flows 1 and 3, for logins of version 2 and the Session API."""


def conditions_of(given: Sequence[str], there: There, *, has_login_v2: bool) -> list[Condition]:
    """Returns the conditions at which the target is to be called.

    Args:
        given: names of functions; none for all that ZITADEL has.
        there: what the ZITADEL has.
        has_login_v2: True for those of logins of version 2, too.

    Raises:
        ConnectError: this version of ZITADEL, or this service, does not have a function.
    """
    known = [condition for condition in FUNCTIONS if condition.name in there.functions]
    names = [condition.name for condition in known]
    if not known:
        raise ConnectError("this ZITADEL has no function that runs actions here")
    for name in given:
        if name not in names:
            raise ConnectError(f"--function {name}: expected one of {', '.join(names)}")
    chosen = [condition for condition in known if not given or condition.name in given]
    return [*chosen, *(LOGIN_V2 if has_login_v2 else ())]


def target_ids_at(condition: Condition, executions: Sequence[Execution]) -> tuple[str, ...]:
    """Returns the ids of the targets that ZITADEL calls at a condition now."""
    found = _nearest(condition, executions)
    return () if found is None else found.target_ids


def with_target(condition: Condition, target_id: str, executions: Sequence[Execution]) -> Execution:
    """Returns the execution of a condition that calls a target too, behind those of others.

    Raises:
        ConnectError: targets of others would get lost.
    """
    now = _nearest(condition, executions)
    others = () if now is None else now.target_ids
    if "" in others:
        raise ConnectError(
            f"{condition.name}: its targets include another execution, which the Action API"
            " cannot keep; list its targets in ZITADEL instead, then connect again"
        )
    if now is not None and now.condition != condition.message:
        raise ConnectError(
            f"{condition.name}: ZITADEL calls targets at {now.named}, and would call them here no"
            " longer; have it call them at this condition, too, then connect again"
        )
    return Execution(condition.message, (*others, target_id))


def _nearest(condition: Condition, executions: Sequence[Execution]) -> Execution | None:
    for message in (condition.message, *condition.wider):
        for execution in executions:
            if execution.condition == message and execution.target_ids:
                return execution
    return None
