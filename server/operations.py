"""Operations on organisations, users, members and tokens: what the command line asks `admin` for.

Rule: shapes only, quick to import; `--help` pays for nothing else.
"""

from typing import TypeAlias

import msgspec

Value: TypeAlias = str | int | list[str] | None
Result: TypeAlias = dict[str, Value]


class AdminError(Exception):
    """An operation that cannot be done; the text is one line, for the operator."""


class CreateOrg(msgspec.Struct, frozen=True, tag="org.create"):
    name: str


class RenameOrg(msgspec.Struct, frozen=True, tag="org.rename"):
    org_id: str
    name: str


class OrgContents(msgspec.Struct, frozen=True, tag="org.contents"):
    """Tells how much goes with an organisation, or is left of one that is removed."""

    org_id: str


class RemoveOrg(msgspec.Struct, frozen=True, tag="org.remove"):
    """Ends the organisation at once; again if it is ended but not cleared away."""

    org_id: str


class ClearOrg(msgspec.Struct, frozen=True, tag="org.clear"):
    """Clears away some of what is left of a removed organisation, and tells what is left then."""

    org_id: str


class ListOrgs(msgspec.Struct, frozen=True, tag="org.list"):
    pass


class CreateUser(msgspec.Struct, frozen=True, tag="user.create"):
    """An empty `org_id`, here and below, is the only organisation that there is."""

    name: str
    org_id: str = ""
    language: str = ""
    subject: str = ""


class UpdateUser(msgspec.Struct, frozen=True, tag="user.update"):
    """Changes what is not None."""

    user_id: str
    name: str | None = None
    language: str | None = None
    subject: str | None = None


class RemoveUser(msgspec.Struct, frozen=True, tag="user.remove"):
    user_id: str


class ListUsers(msgspec.Struct, frozen=True, tag="user.list"):
    org_id: str = ""


class AddMember(msgspec.Struct, frozen=True, tag="member.add"):
    user_id: str
    roles: tuple[str, ...]
    org_id: str = ""


class SetRoles(msgspec.Struct, frozen=True, tag="member.set-roles"):
    user_id: str
    roles: tuple[str, ...]
    org_id: str = ""


class RemoveMember(msgspec.Struct, frozen=True, tag="member.remove"):
    user_id: str
    org_id: str = ""


class ListMembers(msgspec.Struct, frozen=True, tag="member.list"):
    """Of one organisation; of every one that the user is a member of when there is a user id."""

    org_id: str = ""
    user_id: str = ""


class CreateToken(msgspec.Struct, frozen=True, tag="token.create"):
    user_id: str
    description: str = ""
    expires_at: int | None = None


class ListTokens(msgspec.Struct, frozen=True, tag="token.list"):
    """Of one user; of every user of the organisation when there is no user id."""

    user_id: str = ""
    org_id: str = ""


class FindToken(msgspec.Struct, frozen=True, tag="token.find"):
    """The token whose secret has this SHA-256, in hexadecimal digits; nothing if there is none."""

    secret_hash: str


class RevokeToken(msgspec.Struct, frozen=True, tag="token.revoke"):
    token_id: str


Operation: TypeAlias = (
    CreateOrg
    | RenameOrg
    | OrgContents
    | RemoveOrg
    | ClearOrg
    | ListOrgs
    | CreateUser
    | UpdateUser
    | RemoveUser
    | ListUsers
    | AddMember
    | SetRoles
    | RemoveMember
    | ListMembers
    | CreateToken
    | ListTokens
    | FindToken
    | RevokeToken
)
