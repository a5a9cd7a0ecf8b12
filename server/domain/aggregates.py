"""All aggregates together: their types, their keys, their unique names, one way to evolve them."""

from typing import TypeAlias

from server.domain import action as actions
from server.domain import org as orgs
from server.domain import user as users
from server.domain.action import Action
from server.domain.events import RecordedEvent
from server.domain.names import fold
from server.domain.org import Member, Org
from server.domain.user import Token, User

State: TypeAlias = Org | Member | User | Token | Action

Key: TypeAlias = tuple[str, str]
"""(aggregate type, aggregate id)"""

Name: TypeAlias = tuple[str, str, str]
"""(scope, organisation id or "" for the whole instance, folded name)"""


def action_key(action_id: str) -> Key:
    return ("action", action_id)


def org_key(org_id: str) -> Key:
    return ("org", org_id)


def member_key(member_id: str) -> Key:
    return ("member", member_id)


def user_key(user_id: str) -> Key:
    return ("user", user_id)


def token_key(token_id: str) -> Key:
    return ("token", token_id)


def action_name(org_id: str, name: str) -> Name:
    return ("action", org_id, fold(name))


def org_name(name: str) -> Name:
    return ("org", "", fold(name))


def user_name(org_id: str, name: str) -> Name:
    return ("user", org_id, fold(name))


def unique_name(state: State) -> Name | None:
    """The name that nobody else may have while this lives; None where names do not matter."""
    if isinstance(state, Action):
        return action_name(state.org_id, state.name)
    if isinstance(state, Org):
        return org_name(state.name)
    if isinstance(state, User):
        return user_name(state.org_id, state.name)
    return None


def evolve(state: State | None, event: RecordedEvent) -> State | None:
    """The state of the event's aggregate after it; None once the aggregate is removed."""
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
    message = f"event {event.position}: unknown aggregate type {event.aggregate_type!r}"
    raise ValueError(message)
