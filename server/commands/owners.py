"""Ensures that the instance keeps an owner, once it has one.

An owner is a member with the role IAM_OWNER; its organisation and that of its user exist.
Rule: a command that may remove an owner names another one, who remains. The transaction of the
command checks that this one is still an owner.
"""

from dataclasses import dataclass

from server.commands.base import Facts
from server.domain.aggregates import Key, member_key, org_key, user_key
from server.domain.org import Member, is_owner


@dataclass(frozen=True, slots=True)
class RemainingOwner:
    """Names a member who owned the instance when the command was made.

    Attributes:
        home: the id of the organisation of its user.
    """

    member: Member
    home: str

    @property
    def needs(self) -> tuple[Key, ...]:
        """Returns the aggregates that must exist for it to be an owner."""
        member = self.member
        own = (member_key(member.id), user_key(member.user_id))
        return (*own, org_key(member.org_id), org_key(self.home))


def keys_of(owner: RemainingOwner | None) -> tuple[Key, ...]:
    return () if owner is None else owner.needs


def is_owned_without(going: Key, owner: RemainingOwner | None, facts: Facts) -> bool:
    """True if the instance has an owner once the aggregate is removed.

    Args:
        going: the key of an organisation, a user or a member that is removed.
        owner: an owner who remains, as far as the caller knows; None if the instance has no owner,
            and so cannot lose one.
        facts: have the aggregates of `owner.needs`.
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
