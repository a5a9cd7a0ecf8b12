"""Removes an organisation: one small write ends it, then further ones purge what it had.

The first write ends it for every caller: its users are refused, nothing is created in it, its flows
end. The rest is purged in parts, so that neither the loop nor other callers wait long. An
interrupted purge can be continued.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from server.commands.base import Change, Command, Facts
from server.commands.owners import RemainingOwner, is_owned_without, keys_of
from server.domain import action as actions
from server.domain import machine_key as machine_keys
from server.domain import org as domain
from server.domain import sealed as sealed_values
from server.domain import user as users
from server.domain.action import Action
from server.domain.aggregates import (
    Key,
    State,
    action_key,
    flow_keys,
    machine_key_key,
    member_key,
    org_key,
    sealed_key,
    token_key,
    user_key,
)
from server.domain.machine_key import MachineKey
from server.domain.org import Member, Org
from server.domain.sealed import Place, SealedValue
from server.domain.user import Token, User

REMOVAL_COST_CHARS: Final = 8 << 10
"""Cost of removing an aggregate from its table and all indexes, in written characters."""


@dataclass(frozen=True, slots=True)
class RemoveOrg(Command[None]):
    """Ends the organisation and its flows.

    Attributes:
        owner: as `owners.is_owned_without` takes it.
    """

    org_id: str
    owner: RemainingOwner | None
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (org_key(self.org_id), *flow_keys(self.org_id), *keys_of(self.owner))

    def decide(self, facts: Facts) -> Sequence[Change]:
        key = org_key(self.org_id)
        is_owned = is_owned_without(key, self.owner, facts)
        event = domain.remove(facts.find(Org, key), is_owned_elsewhere=is_owned)
        return (Change(key, self.org_id, event),)

    def outcome(self, facts: Facts) -> None:
        return None


@dataclass(frozen=True, slots=True)
class PurgeOrg(Command[None]):
    """Purges some aggregates of a removed organisation.

    Attributes:
        keys: of these aggregates (`read_model.OrgRemains`); absent ones are skipped.
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
    def cost_chars(self) -> int:
        return REMOVAL_COST_CHARS * len(self.keys)

    def decide(self, facts: Facts) -> Sequence[Change]:
        domain.check_is_removed(facts.find(Org, org_key(self.org_id)))
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
    """Returns the removal of an aggregate that ends with another.

    The removal of the other has checked that the instance keeps an owner.
    """
    if isinstance(state, Token):
        _, revoked = users.revoke_token(state)
        return Change(token_key(state.id), state.org_id, revoked)
    if isinstance(state, MachineKey):
        _, removed = machine_keys.remove(state)
        return Change(machine_key_key(state.id), state.org_id, removed)
    if isinstance(state, Member):
        gone = domain.remove_member(state, is_owned_otherwise=True)
        return Change(member_key(state.id), state.org_id, gone)
    if isinstance(state, User):
        _, removed = users.remove(state, memberships=(), is_owned_otherwise=True)
        return Change(user_key(state.id), state.org_id, removed)
    if isinstance(state, Action):
        deleted = actions.remove(state, action_id=state.id, org_id=state.org_id)
        return Change(action_key(state.id), state.org_id, deleted)
    if isinstance(state, SealedValue):
        place = Place.of(state.id)
        gone = sealed_values.remove(state, place=place)
        return Change(sealed_key(place), state.org_id, gone)
    message = f"expected a state that ends with another, got {type(state).__name__} {state.id}"
    raise TypeError(message)
