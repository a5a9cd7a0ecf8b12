"""The removal of an organisation: a small write that ends it, then as many as it takes to clear up.

From the first on it is gone for everyone: no caller is let in, nothing is created in it, its flows
are no more. What else belonged to it is cleared away in parts, so that the loop and the other
callers never wait for all of it; whoever is stopped in between goes on from what is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from server.commands.base import Change, Command, Facts
from server.commands.owners import Owner, is_owned_without, needs_of
from server.domain import action as actions
from server.domain import org as domain
from server.domain import user as users
from server.domain.action import Action
from server.domain.aggregates import (
    Key,
    State,
    action_key,
    flow_keys,
    member_key,
    org_key,
    token_key,
    user_key,
)
from server.domain.org import Member
from server.domain.user import Token, User

REMOVAL_CHARS: Final = 8 << 10
"""What it costs to remove an aggregate from its table and all indexes, in characters written."""


@dataclass(frozen=True, slots=True)
class RemoveOrg(Command[None]):
    """Ends the organisation and its flows.

    Attributes:
        owner: as `owners.is_owned_without` takes it.
    """

    org_id: str
    owner: Owner | None
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (org_key(self.org_id), *flow_keys(self.org_id), *needs_of(self.owner))

    def decide(self, facts: Facts) -> Sequence[Change]:
        key = org_key(self.org_id)
        is_owned = is_owned_without(key, self.owner, facts)
        event = domain.remove(facts.org(self.org_id), is_owned_elsewhere=is_owned)
        return (Change(key, self.org_id, event),)

    def outcome(self, facts: Facts) -> None:
        return None


@dataclass(frozen=True, slots=True)
class ClearAway(Command[None]):
    """Takes away some of what belonged to an organisation that is removed.

    Attributes:
        keys: what the store says is left of it; what is gone meanwhile does not matter.
    """

    org_id: str
    keys: tuple[Key, ...]
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (org_key(self.org_id), *self.keys)

    @property
    def dependants_of(self) -> tuple[Key, ...]:
        return tuple(key for key in self.keys if key[0] == "user")

    @property
    def chars(self) -> int:
        return REMOVAL_CHARS * len(self.keys)

    def decide(self, facts: Facts) -> Sequence[Change]:
        domain.check_is_removed(facts.org(self.org_id))
        going: dict[Key, Change] = {}
        dependants = [state for key in self.dependants_of for state in facts.dependants(key)]
        for state in (*dependants, *map(facts.state, self.keys)):
            if state is not None:
                change = removal_of(state)
                going[change.key] = change
        return [*going.values()]

    def outcome(self, facts: Facts) -> None:
        return None


def removal_of(state: State) -> Change:
    """The end of something that goes because what it belongs to goes.

    Whether the instance can do without it was asked when that went.
    """
    if isinstance(state, Token):
        _, revoked = users.revoke_token(state)
        return Change(token_key(state.id), state.org_id, revoked)
    if isinstance(state, Member):
        gone = domain.remove_member(state, is_owned_otherwise=True)
        return Change(member_key(state.id), state.org_id, gone)
    if isinstance(state, User):
        _, removed = users.remove(state, memberships=(), is_owned_otherwise=True)
        return Change(user_key(state.id), state.org_id, removed)
    if isinstance(state, Action):
        deleted = actions.remove(state, action_id=state.id, org_id=state.org_id)
        return Change(action_key(state.id), state.org_id, deleted)
    message = f"nothing that goes with another: {state.id}"
    raise TypeError(message)
