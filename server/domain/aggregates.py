"""Makes the keys and unique names of all aggregates, and evolves any of them."""

from collections.abc import Mapping
from typing import Final, TypeAlias

from server.domain import action as actions
from server.domain import flow as flows
from server.domain import machine_key as machine_keys
from server.domain import org as orgs
from server.domain import sealed as sealed_values
from server.domain import user as users
from server.domain.action import Action
from server.domain.events import RecordedEvent
from server.domain.flow import Flow, flow_id
from server.domain.machine_key import MachineKey
from server.domain.names import fold
from server.domain.org import Member, Org
from server.domain.sealed import Place, SealedValue
from server.domain.user import Token, User
from server.triggers import FlowType

State: TypeAlias = Org | Member | User | Token | MachineKey | Action | Flow | SealedValue

Key: TypeAlias = tuple[str, str]
"""(aggregate type, aggregate id). A flow has its own, though its events are its organisation's."""

Name: TypeAlias = tuple[str, str, str]
"""(scope, organisation id or "" for the whole instance, folded name)"""

EVENT_TYPES: Final[Mapping[str, frozenset[str]]] = {
    "action": actions.EVENT_TYPES,
    "machine_key": machine_keys.EVENT_TYPES,
    "member": orgs.MEMBER_EVENT_TYPES,
    "org": orgs.EVENT_TYPES | flows.EVENT_TYPES,
    "sealed": sealed_values.EVENT_TYPES,
    "token": users.TOKEN_EVENT_TYPES,
    "user": users.EVENT_TYPES,
}
"""By type of the aggregate."""

FIRST_EVENTS: Final = frozenset(
    {
        *(actions.ADDED, orgs.ADDED, orgs.MEMBER_ADDED),
        *(users.ADDED, users.TOKEN_ADDED, machine_keys.ADDED),
        sealed_values.ADDED,
    }
)
"""The types of events that make an aggregate; all others happen to one that exists."""


def action_key(action_id: str) -> Key:
    return ("action", action_id)


def org_key(org_id: str) -> Key:
    return ("org", org_id)


def flow_key(org_id: str, type: int) -> Key:
    return ("flow", flow_id(org_id, type))


def flow_keys(org_id: str) -> tuple[Key, ...]:
    return tuple(flow_key(org_id, type) for type in FlowType)


def member_key(member_id: str) -> Key:
    return ("member", member_id)


def user_key(user_id: str) -> Key:
    return ("user", user_id)


def token_key(token_id: str) -> Key:
    return ("token", token_id)


def machine_key_key(key_id: str) -> Key:
    return ("machine_key", key_id)


def sealed_key(place: Place) -> Key:
    return ("sealed", place.id)


def action_name(org_id: str, name: str) -> Name:
    return ("action", org_id, fold(name))


def org_name(name: str) -> Name:
    return ("org", "", fold(name))


def user_name(org_id: str, name: str) -> Name:
    return ("user", org_id, fold(name))


def subject_name(subject: str) -> Name:
    """Returns a name that is not folded: two users of an issuer may differ in case alone."""
    return ("subject", "", subject)


def unique_names(state: State) -> tuple[Name, ...]:
    """Returns the names that no other aggregate may have while this one exists."""
    if isinstance(state, Action):
        return (action_name(state.org_id, state.name),)
    if isinstance(state, Org):
        return (org_name(state.name),)
    if isinstance(state, User):
        name = user_name(state.org_id, state.name)
        return (name, subject_name(state.subject)) if state.subject else (name,)
    return ()


def names_in(event: RecordedEvent) -> tuple[Name, ...]:
    """Returns the names that an event may claim; its aggregate may have them already."""
    name = event.text("name")
    match event.aggregate_type:
        case "action" if name:
            return (action_name(event.org_id, name),)
        case "org" if name:
            return (org_name(name),)
        case "user":
            subject = event.text("subject")
            names = (user_name(event.org_id, name),) if name else ()
            return (*names, subject_name(subject)) if subject else names
    return ()


def is_dependant(state: State, key: Key) -> bool:
    """True if the state is removed with the aggregate.

    These are memberships, tokens and keys of a user, and sealed values of an organisation.
    """
    if isinstance(state, SealedValue):
        return key == org_key(state.org_id)
    return isinstance(state, Member | Token | MachineKey) and key == user_key(state.user_id)


def flows_of(event: RecordedEvent) -> tuple[Key, ...]:
    """Returns the keys of the flows that an organisation's event changes; its end changes all."""
    if event.type == orgs.REMOVED:
        return flow_keys(event.org_id)
    if event.type not in flows.EVENT_TYPES:
        return ()
    return (flow_key(event.org_id, event.number("flowType")),)


def evolve_flow(state: State | None, event: RecordedEvent) -> State | None:
    return flows.evolve(state if isinstance(state, Flow) else None, event)


def evolve(state: State | None, event: RecordedEvent) -> State | None:
    """Returns the state of the aggregate after its event; None once it is removed."""
    match event.aggregate_type:
        case "action":
            return actions.evolve(state if isinstance(state, Action) else None, event)
        case "org":
            return orgs.evolve(state if isinstance(state, Org) else None, event)
        case "member":
            return orgs.evolve_member(state if isinstance(state, Member) else None, event)
        case "user":
            return users.evolve(state if isinstance(state, User) else None, event)
        case "token":
            return users.evolve_token(state if isinstance(state, Token) else None, event)
        case "machine_key":
            return machine_keys.evolve(state if isinstance(state, MachineKey) else None, event)
        case "sealed":
            return sealed_values.evolve(state if isinstance(state, SealedValue) else None, event)
    message = f"event {event.position}: unknown aggregate type {event.aggregate_type!r}"
    raise ValueError(message)
