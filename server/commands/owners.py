"""Keeps an owner of the instance, once there is one.

An owner is a member with the role IAM_OWNER whose organisation lives, and that of its user, too.
Rule: a command that removes what an owner needs names another owner, who does not need it; the
transaction that removes it checks that this one still is an owner.
"""

from dataclasses import dataclass

from server.commands.base import Facts
from server.domain.aggregates import Key, member_key, org_key, user_key
from server.domain.org import Member, is_owner


@dataclass(frozen=True, slots=True)
class RemainingOwner:
    """A member who owned the instance when the command was made.

    Attributes:
        home: the id of its user's own organisation.
    """

    member: Member
    home: str

    @property
    def needs(self) -> tuple[Key, ...]:
        """Aggregates that must live for it to be an owner."""
        member = self.member
        own = (member_key(member.id), user_key(member.user_id))
        return (*own, org_key(member.org_id), org_key(self.home))


def keys_of(owner: RemainingOwner | None) -> tuple[Key, ...]:
    return () if owner is None else owner.needs


def is_owned_without(going: Key, owner: RemainingOwner | None, facts: Facts) -> bool:
    """True if the instance has an owner once the aggregate is removed.

    Args:
        going: of an organisation, a user or a member.
        owner: one who stays, as far as the caller knows; None where the instance has no owner, so
            that none can be lost.
        facts: with what `owner` needs.
    """
    if owner is None:
        return True
    member = facts.find(Member, member_key(owner.member.id))
    return (
        going not in owner.needs
        and all(facts.state(key) is not None for key in owner.needs)
        and member is not None
        and is_owner(member)
    )
