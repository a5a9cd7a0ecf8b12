"""All aggregates together: their types, their keys, their unique names, one way to evolve them."""

from typing import TypeAlias

from server.domain.action import Action
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
    return ("action", org_id, name.lower())


def org_name(name: str) -> Name:
    return ("org", "", name.lower())


def user_name(org_id: str, name: str) -> Name:
    return ("user", org_id, name.lower())
