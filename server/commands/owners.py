"""Who owns the instance: somebody always does, once somebody did.

An owner is a member with the role IAM_OWNER whose organisation lives, and that of its user, too.
Rule: whoever takes something away that an owner needs names an owner who does not need it; whether
that one still is an owner is seen in the transaction that takes it away.
"""

from dataclasses import dataclass

from server.commands.base import Facts
from server.domain.aggregates import Key, member_key, org_key, user_key
from server.domain.org import Member, is_owner


@dataclass(frozen=True, slots=True)
class Owner:
    """A member who owned the instance when it was looked for.

    Attributes:
        home: the id of the organisation of its user, who may be a member of others.
    """

    member: Member
    home: str

    @property
    def needs(self) -> tuple[Key, ...]:
        """What has to live for it to be an owner."""
        member = self.member
        own = (member_key(member.id), user_key(member.user_id))
        return (*own, org_key(member.org_id), org_key(self.home))


def needs_of(owner: Owner | None) -> tuple[Key, ...]:
    return () if owner is None else owner.needs


def is_owned_without(going: Key, owner: Owner | None, facts: Facts) -> bool:
    """Whether the instance has an owner when the aggregate is no more.

    Args:
        going: of an organisation, a user or a member.
        owner: one who stays, as far as the caller knows; None where nobody owns the instance, so
            that no owner can be lost.
        facts: with what `owner` needs.
    """
    if owner is None:
        return True
    member = facts.member(owner.member.id)
    return (
        going not in owner.needs
        and all(facts.state(key) is not None for key in owner.needs)
        and member is not None
        and is_owner(member)
    )
