"""An organisation, and who is a member of it with which roles."""

from dataclasses import dataclass
from typing import Final

ROLES: Final = (
    "IAM_OWNER",
    "IAM_ORG_MANAGER",
    "IAM_OWNER_VIEWER",
    "ORG_OWNER",
    "ORG_OWNER_VIEWER",
)


@dataclass(frozen=True, slots=True)
class Org:
    """One row of `orgs`; `sequence`, the times and `position` as an action's."""

    id: str
    name: str
    sequence: int
    created_at: int
    changed_at: int
    position: int


@dataclass(frozen=True, slots=True)
class Member:
    """One row of `members`; its id is `member_id(org_id, user_id)`."""

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
