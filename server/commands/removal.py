"""The removal of an organisation: a small write that ends it, then as many as it takes to clear up.

From the first on it is gone for everyone: no caller is let in, nothing is created in it, its flows
are no more. What else belonged to it is cleared away in parts, so that the loop and the other
callers never wait for all of it; whoever is stopped in between goes on from what is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from server.commands.base import Change, Command, Facts
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
class Owner:
    """A member who owns the instance.

    Attributes:
        home: the id of the organisation of its user, who may be a member of others.
    """

    member: Member
    home: str


@dataclass(frozen=True, slots=True)
class RemoveOrg(Command[None]):
    """Ends the organisation and its flows.

    Attributes:
        owner: one who stays, as far as the caller knows; None where nobody owns the instance, so
            that no owner can be lost.
    """

    org_id: str
    owner: Owner | None
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        keys = (org_key(self.org_id), *flow_keys(self.org_id))
        return keys if self.owner is None else (*keys, *_keys_of(self.owner))

    def decide(self, facts: Facts) -> Sequence[Change]:
        event = domain.remove(facts.org(self.org_id), is_owned_elsewhere=self._is_owned(facts))
        return (Change(org_key(self.org_id), self.org_id, event),)

    def outcome(self, facts: Facts) -> None:
        return None

    def _is_owned(self, facts: Facts) -> bool:
        owner = self.owner
        if owner is None:
            return True
        if facts.user(owner.member.user_id) is None:
            return False
        orgs = (facts.org(owner.member.org_id), facts.org(owner.home))
        return domain.is_owner_without(self.org_id, facts.member(owner.member.id), *orgs)


def _keys_of(owner: Owner) -> tuple[Key, ...]:
    member = owner.member
    own = (member_key(member.id), user_key(member.user_id))
    return (*own, org_key(member.org_id), org_key(owner.home))


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
    """The end of something that goes because what it belongs to goes."""
    if isinstance(state, Token):
        _, revoked = users.revoke_token(state)
        return Change(token_key(state.id), state.org_id, revoked)
    if isinstance(state, Member):
        return Change(member_key(state.id), state.org_id, domain.remove_member(state))
    if isinstance(state, User):
        _, removed = users.remove(state)
        return Change(user_key(state.id), state.org_id, removed)
    if isinstance(state, Action):
        gone = actions.remove(state, action_id=state.id, org_id=state.org_id)
        return Change(action_key(state.id), state.org_id, gone)
    message = f"nothing that goes with another: {state.id}"
    raise TypeError(message)
