"""user, member, token: accounts, also while the service runs on the same data folder."""

import re
import time
from datetime import datetime
from typing import Final

import click

from server.cli import owner_file
from server.cli.failures import Misused
from server.cli.performing import JSON, created, ended, listed, perform, show, stored

_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_US: Final = 1_000_000
_END_AT: Final = 253_402_300_800 * _US
"""The year 10000, in UTC: no date from then on can be written."""

_ORG: Final = click.option(
    "--org",
    "org_id",
    default="",
    metavar="ID",
    help="The organisation; not needed if there is one.",
)
_ROLES: Final = """
\b
ORG_OWNER          reads and writes in this organisation, and runs its actions
ORG_OWNER_VIEWER   reads in this organisation
ORG_ACTION_RUNNER  runs the actions of this organisation, and nothing else
IAM_OWNER, IAM_ORG_MANAGER, IAM_OWNER_VIEWER
                   the same in every organisation

Example: python -m server member add 381029384756019283 ORG_OWNER
"""
_LANGUAGE: Final = click.option(
    "--language",
    metavar="TAG",
    help='What it prefers to read, as "de" or "pt-BR"; empty for none.',
)
_SUBJECT: Final = click.option(
    "--subject",
    metavar="TEXT",
    help="What the issuer of JWTs calls it (sub); empty for none.",
)


def _expiry(_context: click.Context, _option: click.Parameter, text: str) -> int | None:
    """A moment, as microseconds since the epoch; from now ("90d") or a date and time."""
    if text == "never":
        return None
    at = _moment(text)
    if at is None or at >= _END_AT:
        raise click.BadParameter(
            "expected never, a time from now (12h, 90d), or a date and time with its zone "
            f"(2030-01-31T12:00:00Z), got {text[:40]!r}"
        )
    return at


def _moment(text: str) -> int | None:
    if match := re.fullmatch(r"([0-9]{1,9})([smhdw])", text):
        return time.time_ns() // 1000 + int(match[1]) * _UNIT_S[match[2]] * _US
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else int(moment.timestamp() * _US)


@click.group()
def user() -> None:
    """Users: who may have tokens and memberships."""


@user.command(
    "create",
    short_help="Make a user.",
    epilog="Example: python -m server user create deploy-bot",
)
@click.argument("name")
@_LANGUAGE
@_SUBJECT
@_ORG
@JSON
@stored
def create_user(
    name: str,
    language: str | None,
    subject: str | None,
    org_id: str,
    as_json: bool,
    **flags: object,
) -> None:
    """Make a user called NAME; it may do nothing until it is made a member."""
    from actions.v1 import admin_pb2 as pb

    request = pb.CreateUserRequest(
        org_id=org_id, name=name, language=language or "", subject=subject or ""
    )
    created(request, as_json, flags)


@user.command(
    "update", epilog="Example: python -m server user update 381029384756019283 --language de"
)
@click.argument("user_id")
@click.option("--name", metavar="TEXT", help="Another name.")
@_LANGUAGE
@_SUBJECT
@JSON
@stored
def update_user(
    user_id: str,
    name: str | None,
    language: str | None,
    subject: str | None,
    as_json: bool,
    **flags: object,
) -> None:
    """Change what is given of USER_ID, and leave the rest."""
    from actions.v1 import admin_pb2 as pb

    if name is None and language is None and subject is None:
        raise Misused("expected --name, --language or --subject")
    request = pb.UpdateUserRequest(user_id=user_id, name=name, language=language, subject=subject)
    created(request, as_json, flags)


@user.command("remove", short_help="Take a user away, with its memberships and tokens.")
@click.argument("user_id")
@JSON
@stored
def remove_user(user_id: str, as_json: bool, **flags: object) -> None:
    """Take USER_ID away, with its memberships and tokens; what it wrote stays."""
    from actions.v1 import admin_pb2 as pb

    with owner_file.noticed(flags, user_id="USER_ID"):
        perform(pb.RemoveUserRequest(user_id=user_id), flags)
        ended("removed user", user_id, as_json)


@user.command("list")
@_ORG
@JSON
@stored
def list_users(org_id: str, as_json: bool, **flags: object) -> None:
    """List the users of an organisation, in order of creation."""
    from actions.v1 import admin_pb2 as pb

    columns = ("id", "name", "language", "subject", "created_at")
    listed(pb.ListUsersRequest(org_id=org_id), as_json, flags, *columns)


@click.group()
def member() -> None:
    """Members: which user has which roles in an organisation."""


@member.command("add", epilog=_ROLES)
@click.argument("user_id")
@click.argument("roles", nargs=-1, required=True, metavar="ROLE...")
@_ORG
@JSON
@stored
def add_member(
    user_id: str, roles: tuple[str, ...], org_id: str, as_json: bool, **flags: object
) -> None:
    """Make USER_ID a member with one or more roles."""
    from actions.v1 import admin_pb2 as pb

    request = pb.AddMemberRequest(org_id=org_id, user_id=user_id, roles=roles)
    created(request, as_json, flags)


@member.command(
    "set-roles",
    short_help="Give a member other roles.",
    epilog=_ROLES.replace("member add", "member set-roles"),
)
@click.argument("user_id")
@click.argument("roles", nargs=-1, required=True, metavar="ROLE...")
@_ORG
@JSON
@stored
def set_roles(
    user_id: str, roles: tuple[str, ...], org_id: str, as_json: bool, **flags: object
) -> None:
    """Give the member USER_ID these roles, instead of those that it has."""
    from actions.v1 import admin_pb2 as pb

    request = pb.SetMemberRolesRequest(org_id=org_id, user_id=user_id, roles=roles)
    created(request, as_json, flags)


@member.command("remove", short_help="Take a membership away.")
@click.argument("user_id")
@_ORG
@JSON
@stored
def remove_member(user_id: str, org_id: str, as_json: bool, **flags: object) -> None:
    """Take USER_ID's membership away; its tokens stay, without rights here."""
    from actions.v1 import admin_pb2 as pb

    perform(pb.RemoveMemberRequest(org_id=org_id, user_id=user_id), flags)
    ended("removed member", user_id, as_json)


@member.command("list", short_help="List the members of an organisation, or a user's memberships.")
@click.argument("user_id", required=False, default="")
@_ORG
@JSON
@stored
def list_members(user_id: str, org_id: str, as_json: bool, **flags: object) -> None:
    """List the memberships of USER_ID in all organisations, or the members of one."""
    from actions.v1 import admin_pb2 as pb

    columns = ("org_id", "user_id", "user_name", "roles", "created_at")
    request = pb.ListMembersRequest(org_id=org_id, user_id=user_id)
    listed(request, as_json, flags, *columns)


@click.group()
def token() -> None:
    """Personal access tokens: how callers say who they are."""


@token.command(
    "create", epilog="Example: python -m server token create 381029384756019283 --expires 90d"
)
@click.argument("user_id")
@click.option("--description", default="", metavar="TEXT", help="What it is for.")
@click.option(
    "--expires",
    "expires_at",
    callback=_expiry,
    default="never",
    metavar="WHEN",
    help="From now (12h, 90d), or at a time (2030-01-31T12:00:00Z); never, if not given.",
)
@click.option(
    "--write",
    is_flag=True,
    help="Write it to owner.token in the data folder, which call reads, instead of showing it.",
)
@JSON
@stored
def create_token(
    user_id: str,
    description: str,
    expires_at: int | None,
    write: bool,
    as_json: bool,
    **flags: object,
) -> None:
    """Make a token for USER_ID. It is shown now and never again."""
    from actions.v1 import admin_pb2 as pb

    request = pb.CreateTokenRequest(user_id=user_id, description=description)
    if expires_at is not None:
        request.expires_at.FromMicroseconds(expires_at)
    (row,) = perform(request, flags)
    show(owner_file.written(row, flags) if write else row, as_json)


@token.command("list", short_help="List the tokens of a user, or of an organisation.")
@click.argument("user_id", required=False, default="")
@_ORG
@JSON
@stored
def list_tokens(user_id: str, org_id: str, as_json: bool, **flags: object) -> None:
    """List the tokens of USER_ID, or of an organisation; never what a caller would send."""
    from actions.v1 import admin_pb2 as pb

    columns = ("id", "user_id", "description", "expires_at", "created_at")
    request = pb.ListTokensRequest(org_id=org_id, user_id=user_id)
    listed(request, as_json, flags, *columns)


@token.command("revoke", short_help="Refuse a token from now on.")
@click.argument("token_id")
@JSON
@stored
def revoke_token(token_id: str, as_json: bool, **flags: object) -> None:
    """Refuse a token from now on; TOKEN_ID is its id, as token list shows it."""
    from actions.v1 import admin_pb2 as pb

    with owner_file.noticed(flags):
        perform(pb.RevokeTokenRequest(token_id=token_id), flags)
        ended("revoked token", token_id, as_json)


GROUPS: Final = (user, member, token)
