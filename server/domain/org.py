"""Decides what happens to an organisation, and to its members and their roles."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from server.domain.events import JSON, Event, RecordedEvent
from server.domain.names import is_name
from server.domain.refusals import already_exists, failed_precondition, invalid, not_found

ADDED: Final = "org.added"
CHANGED: Final = "org.changed"
REMOVED: Final = "org.removed"
EVENT_TYPES: Final = frozenset({ADDED, CHANGED, REMOVED})
MEMBER_ADDED: Final = "member.added"
MEMBER_CHANGED: Final = "member.changed"
MEMBER_REMOVED: Final = "member.removed"
MEMBER_EVENT_TYPES: Final = frozenset({MEMBER_ADDED, MEMBER_CHANGED, MEMBER_REMOVED})

IAM_OWNER: Final = "IAM_OWNER"
ROLES: Final = (
    IAM_OWNER,
    "IAM_ORG_MANAGER",
    "IAM_OWNER_VIEWER",
    "ORG_OWNER",
    "ORG_OWNER_VIEWER",
    "ORG_ACTION_RUNNER",
)

_REMOVED: Final = Event(REMOVED)
_MEMBER_REMOVED: Final = Event(MEMBER_REMOVED)


@dataclass(frozen=True, slots=True)
class Org:
    """Holds one row of `orgs`; `sequence`, times and `position` are as in `Action`."""

    id: str
    name: str
    sequence: int
    created_at: int
    changed_at: int
    position: int


@dataclass(frozen=True, slots=True)
class Member:
    """Holds one row of `members`; its id is `member_id(org_id, user_id)`."""

    id: str
    org_id: str
    user_id: str
    roles: tuple[str, ...]
    sequence: int
    created_at: int
    changed_at: int
    position: int


def member_id(org_id: str, user_id: str) -> str:
    return f"{org_id}:{user_id}"


def create(*, name: str, name_owner: str | None) -> Event:
    """Returns the event that creates an organisation; its name is unique in the instance."""
    if not is_name(name):
        raise invalid("Errors.Org.Invalid", "COMMAND-Wd3rv")
    if name_owner is not None:
        raise already_exists("Errors.Org.AlreadyExists", "V3-DKcYh")
    return Event(ADDED, {"name": name})


def rename(org: Org | None, *, name: str, name_owner: str | None) -> Event:
    """Returns the event that renames an organisation; the new name may differ in case alone."""
    if not is_name(name):
        raise invalid("Errors.Org.Invalid", "COMMAND-Wr2iv")
    if org is None:
        raise not_found("Errors.Org.NotFound", "COMMAND-Wr5nf")
    if org.name == name:
        raise failed_precondition("Errors.NoChangesFound", "COMMAND-Wr7nc")
    if name_owner not in (None, org.id):
        raise already_exists("Errors.Org.AlreadyExists", "V3-DKcYh")
    return Event(CHANGED, {"name": name})


def remove(org: Org | None, *, is_owned_elsewhere: bool) -> Event:
    """Returns the event that ends an organisation and its flows; the rest is purged later.

    Args:
        org: None if there is none.
        is_owned_elsewhere: True if the instance has an owner who stays.
    """
    if org is None:
        raise not_found("Errors.Org.NotFound", "COMMAND-Wx4nf")
    if not is_owned_elsewhere:
        raise failed_precondition("Errors.Org.LastOwner", "COMMAND-Wx6lo")
    return _REMOVED


def check_is_removed(org: Org | None) -> None:
    """Raises Refusal unless the organisation is removed: only then may its data be purged."""
    if org is not None:
        raise failed_precondition("Errors.Org.NotRemoved", "COMMAND-Wx8nr")


def evolve(org: Org | None, event: RecordedEvent) -> Org | None:
    if event.type == ADDED:
        return Org(
            id=event.aggregate_id,
            name=event.text("name"),
            sequence=event.sequence,
            created_at=event.created_at,
            changed_at=event.created_at,
            position=event.position,
        )
    if org is None or event.type == REMOVED:
        return None
    return replace(
        org,
        name=event.text("name", org.name),
        sequence=event.sequence,
        changed_at=event.created_at,
    )


def add_member(
    member: Member | None, *, org: Org | None, user_id: str | None, roles: Sequence[str]
) -> Event:
    """Returns the event that makes a user of any organisation a member; a role counts once.

    `user_id` is None if there is no such user.
    """
    if org is None:
        raise not_found("Errors.Org.NotFound", "COMMAND-Mz5bo")
    if user_id is None:
        raise not_found("Errors.User.NotFound", "COMMAND-Mk2tu")
    given = _checked(roles)
    if member is not None:
        raise already_exists("Errors.Member.AlreadyExists", "COMMAND-Ma6ex")
    return Event(MEMBER_ADDED, {"orgId": org.id, "userId": user_id, "roles": given})


def set_roles(member: Member | None, *, roles: Sequence[str], is_owned_otherwise: bool) -> Event:
    """Returns the event that sets the roles of a member; their order does not matter.

    Args:
        member: None if there is none.
        roles: one or more of `ROLES`.
        is_owned_otherwise: True if the instance has an owner without this membership.
    """
    if member is None:
        raise not_found("Errors.Member.NotFound", "COMMAND-Ms3nf")
    given = _checked(roles)
    if set(given) == set(member.roles):
        raise failed_precondition("Errors.NoChangesFound", "COMMAND-Ms6nc")
    if IAM_OWNER not in given and is_owner(member) and not is_owned_otherwise:
        raise failed_precondition("Errors.Member.LastOwner", "COMMAND-Ms8lo")
    return Event(MEMBER_CHANGED, {"roles": given})


def remove_member(member: Member | None, *, is_owned_otherwise: bool) -> Event:
    """Returns the event that ends a membership; `is_owned_otherwise` as for `set_roles`."""
    if member is None:
        raise not_found("Errors.Member.NotFound", "COMMAND-Mn7nf")
    if is_owner(member) and not is_owned_otherwise:
        raise failed_precondition("Errors.Member.LastOwner", "COMMAND-Mn8lo")
    return _MEMBER_REMOVED


def is_owner(member: Member) -> bool:
    """True if the member owns the instance, as long as its organisation and its user's exist."""
    return IAM_OWNER in member.roles


def evolve_member(member: Member | None, event: RecordedEvent) -> Member | None:
    if event.type == MEMBER_ADDED:
        return Member(
            id=event.aggregate_id,
            org_id=event.text("orgId"),
            user_id=event.text("userId"),
            roles=event.texts("roles"),
            sequence=event.sequence,
            created_at=event.created_at,
            changed_at=event.created_at,
            position=event.position,
        )
    if member is None or event.type == MEMBER_REMOVED:
        return None
    return replace(
        member,
        roles=event.texts("roles") if "roles" in event.payload else member.roles,
        sequence=event.sequence,
        changed_at=event.created_at,
    )


def _checked(roles: Sequence[str]) -> list[JSON]:
    """Returns the roles, each once.

    Raises:
        Refusal: there are no roles, or one is unknown.
    """
    known = {"known": ", ".join(ROLES)}
    if not roles:
        raise invalid("Errors.Member.RolesMissing", "COMMAND-Mq8re", values=known)
    for role in roles:
        if role not in ROLES:
            values = {"role": ascii(role[:40]), **known}
            raise invalid("Errors.Member.RoleUnknown", "COMMAND-Mr4uk", values=values)
    return list(dict.fromkeys(roles))
