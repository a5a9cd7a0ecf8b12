"""Defines the commands on machine keys."""

from collections.abc import Sequence
from dataclasses import dataclass

from server.commands.base import Change, Command, Facts
from server.domain import machine_key as domain
from server.domain.aggregates import Key, machine_key_key, org_key, user_key
from server.domain.machine_key import KeyKind, MachineKey
from server.domain.org import Org
from server.domain.user import User


@dataclass(frozen=True, slots=True)
class CreateKey(Command[MachineKey]):
    """Creates a key of a user.

    Attributes:
        org_id: of the user, and of the key.
        verifier: as `MachineKey` has it.
        expires_at: microseconds since the epoch; None if it never expires.
    """

    org_id: str
    user_id: str
    key_id: str
    kind: KeyKind
    verifier: bytes
    expires_at: int | None
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (machine_key_key(self.key_id), user_key(self.user_id), org_key(self.org_id))

    def decide(self, facts: Facts) -> Sequence[Change]:
        user, event = domain.create(
            facts.find(User, user_key(self.user_id)),
            org=facts.find(Org, org_key(self.org_id)),
            kind=self.kind,
            verifier=self.verifier,
            expires_at=self.expires_at,
            now=facts.now,
        )
        return (Change(machine_key_key(self.key_id), user.org_id, event),)

    def outcome(self, facts: Facts) -> MachineKey:
        return facts.require(MachineKey, machine_key_key(self.key_id))


@dataclass(frozen=True, slots=True)
class DeleteKey(Command[None]):
    key_id: str
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (machine_key_key(self.key_id),)

    def decide(self, facts: Facts) -> Sequence[Change]:
        key, event = domain.remove(facts.find(MachineKey, machine_key_key(self.key_id)))
        return (Change(machine_key_key(key.id), key.org_id, event),)

    def outcome(self, facts: Facts) -> None:
        return None
