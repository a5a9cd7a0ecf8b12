"""Runs `user`, `member` and `token`, also while the service runs on the data folder."""

import time
from typing import Final

import click
from click.core import ParameterSource

from server.cli import owner_file, token_rotation
from server.cli.expiry import expiry
from server.cli.failures import Misused
from server.cli.output import OutputRow
from server.cli.performing import AS_JSON, ORG, created, ended, listed, perform, show, stored

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
    help='Preferred language, as "de" or "pt-BR"; empty for none.',
)
_SUBJECT: Final = click.option(
    "--subject",
    metavar="TEXT",
    help="Subject (sub) of the user in JWTs of the issuer; empty for none.",
)


@click.group("user")
def user_commands() -> None:
    """Manage users, who have tokens and memberships."""


@user_commands.command(
    "create",
    short_help="Create a user.",
    epilog="Example: python -m server user create deploy-bot",
)
@click.argument("name")
@_LANGUAGE
@_SUBJECT
@ORG
@AS_JSON
@stored
def user_create(
    name: str,
    language: str | None,
    subject: str | None,
    org_id: str,
    as_json: bool,
    **flags: object,
) -> None:
    """Create a user called NAME; it has no permission until it is a member."""
    from actions.v1 import admin_pb2 as pb

    request = pb.CreateUserRequest(
        org_id=org_id, name=name, language=language or "", subject=subject or ""
    )
    created(request, as_json, flags)


@user_commands.command(
    "update", epilog="Example: python -m server user update 381029384756019283 --language de"
)
@click.argument("user_id")
@click.option("--name", metavar="TEXT", help="New name.")
@_LANGUAGE
@_SUBJECT
@AS_JSON
@stored
def user_update(
    user_id: str,
    name: str | None,
    language: str | None,
    subject: str | None,
    as_json: bool,
    **flags: object,
) -> None:
    """Change the given fields of USER_ID; the others stay."""
    from actions.v1 import admin_pb2 as pb

    if name is None and language is None and subject is None:
        raise Misused("expected --name, --language or --subject")
    request = pb.UpdateUserRequest(user_id=user_id, name=name, language=language, subject=subject)
    created(request, as_json, flags)


@user_commands.command("remove", short_help="Remove a user, with its memberships and tokens.")
@click.argument("user_id")
@AS_JSON
@stored
def user_remove(user_id: str, as_json: bool, **flags: object) -> None:
    """Remove USER_ID, with its memberships and tokens; its actions and flows stay."""
    from actions.v1 import admin_pb2 as pb

    with owner_file.noticed(flags, user_id="USER_ID"):
        perform(pb.RemoveUserRequest(user_id=user_id), flags)
        ended("removed user", user_id, as_json)


@user_commands.command("list")
@ORG
@AS_JSON
@stored
def user_list(org_id: str, as_json: bool, **flags: object) -> None:
    """List the users of an organisation, in order of creation."""
    from actions.v1 import admin_pb2 as pb

    columns = ("id", "name", "language", "subject", "created_at")
    listed(pb.ListUsersRequest(org_id=org_id), as_json, flags, *columns)


@click.group("member")
def member_commands() -> None:
    """Manage members: users with roles in an organisation."""


@member_commands.command("add", epilog=_ROLES)
@click.argument("user_id")
@click.argument("roles", nargs=-1, required=True, metavar="ROLE...")
@ORG
@AS_JSON
@stored
def member_add(
    user_id: str, roles: tuple[str, ...], org_id: str, as_json: bool, **flags: object
) -> None:
    """Add USER_ID as a member with one or more roles."""
    from actions.v1 import admin_pb2 as pb

    request = pb.AddMemberRequest(org_id=org_id, user_id=user_id, roles=roles)
    created(request, as_json, flags)


@member_commands.command(
    "set-roles",
    short_help="Replace the roles of a member.",
    epilog=_ROLES.replace("member add", "member set-roles"),
)
@click.argument("user_id")
@click.argument("roles", nargs=-1, required=True, metavar="ROLE...")
@ORG
@AS_JSON
@stored
def member_set_roles(
    user_id: str, roles: tuple[str, ...], org_id: str, as_json: bool, **flags: object
) -> None:
    """Replace the roles of the member USER_ID."""
    from actions.v1 import admin_pb2 as pb

    request = pb.SetMemberRolesRequest(org_id=org_id, user_id=user_id, roles=roles)
    created(request, as_json, flags)


@member_commands.command("remove", short_help="Remove a member.")
@click.argument("user_id")
@ORG
@AS_JSON
@stored
def member_remove(user_id: str, org_id: str, as_json: bool, **flags: object) -> None:
    """Remove the membership of USER_ID; its tokens stay, without permissions here."""
    from actions.v1 import admin_pb2 as pb

    perform(pb.RemoveMemberRequest(org_id=org_id, user_id=user_id), flags)
    ended("removed member", user_id, as_json)


@member_commands.command(
    "list", short_help="List the members of an organisation, or a user's memberships."
)
@click.argument("user_id", required=False, default="")
@ORG
@AS_JSON
@stored
def member_list(user_id: str, org_id: str, as_json: bool, **flags: object) -> None:
    """List the memberships of USER_ID, or the members of an organisation."""
    from actions.v1 import admin_pb2 as pb

    columns = ("org_id", "user_id", "user_name", "roles", "created_at")
    request = pb.ListMembersRequest(org_id=org_id, user_id=user_id)
    listed(request, as_json, flags, *columns)


@click.group("token")
def token_commands() -> None:
    """Manage personal access tokens, by which users call."""


@token_commands.command(
    "create", epilog="Example: python -m server token create 381029384756019283 --expires 90d"
)
@click.argument("user_id")
@click.option("--description", default="", metavar="TEXT", help="Purpose of the token.")
@click.option(
    "--expires",
    "expires_at",
    callback=expiry,
    default="never",
    metavar="WHEN",
    help="Expiry: from now (12h, 90d), or a time (2030-01-31T12:00:00Z); never, if not given.",
)
@click.option(
    "--write",
    is_flag=True,
    help="Write the token to owner.token in the data folder, which call reads, and do not show it.",
)
@AS_JSON
@stored
def token_create(
    user_id: str,
    description: str,
    expires_at: int | None,
    write: bool,
    as_json: bool,
    **flags: object,
) -> None:
    """Create a token of USER_ID. It is shown only now."""
    from actions.v1 import admin_pb2 as pb

    request = pb.CreateTokenRequest(user_id=user_id, description=description)
    if expires_at is not None:
        request.expires_at.FromMicroseconds(expires_at)
    (row,) = perform(request, flags)
    show(owner_file.written(row, flags) if write else row, as_json)


@token_commands.command("list", short_help="List the tokens of a user, or of an organisation.")
@click.argument("user_id", required=False, default="")
@ORG
@AS_JSON
@stored
def token_list(user_id: str, org_id: str, as_json: bool, **flags: object) -> None:
    """List the tokens of USER_ID, or of an organisation, without their secrets."""
    from actions.v1 import admin_pb2 as pb

    columns = ("id", "user_id", "description", "expires_at", "created_at")
    request = pb.ListTokensRequest(org_id=org_id, user_id=user_id)
    listed(request, as_json, flags, *columns)


@token_commands.command("revoke", short_help="Revoke a token.")
@click.argument("token_id")
@AS_JSON
@stored
def token_revoke(token_id: str, as_json: bool, **flags: object) -> None:
    """Revoke the token TOKEN_ID, an id that token list shows."""
    from actions.v1 import admin_pb2 as pb

    with owner_file.noticed(flags):
        perform(pb.RevokeTokenRequest(token_id=token_id), flags)
        ended("revoked token", token_id, as_json)


@token_commands.command(
    "rotate",
    short_help="Replace a token by a new one.",
    epilog="Example: python -m server token rotate --write",
)
@click.argument("token_id", required=False, default="")
@click.option(
    "--expires",
    "expires_at",
    callback=expiry,
    metavar="WHEN",
    help="Expiry, as for token create; if not given, the new token lives as long as the old one.",
)
@click.option(
    "--write",
    is_flag=True,
    help="Write the token to owner.token in the data folder, and do not show it.",
)
@ORG
@AS_JSON
@stored
def token_rotate(
    token_id: str,
    expires_at: int | None,
    write: bool,
    org_id: str,
    as_json: bool,
    **flags: object,
) -> None:
    """Create a token for the user of TOKEN_ID, then revoke TOKEN_ID.

    With --write and without TOKEN_ID it is the token in owner.token.
    """
    if not token_id and not write:
        raise Misused("expected TOKEN_ID, or --write for the token in owner.token")
    old = (
        token_rotation.by_id(token_id, org_id, flags) if token_id else token_rotation.in_file(flags)
    )
    if click.get_current_context().get_parameter_source("expires_at") is ParameterSource.DEFAULT:
        expires_at = token_rotation.same_lifetime(old, time.time_ns() // 1000)

    def hand_over(new: OutputRow) -> None:
        show(owner_file.written(new, flags) if write else new, as_json)

    token_rotation.rotate(old, flags, expires_at=expires_at, hand_over=hand_over)


GROUPS: Final = (user_commands, member_commands, token_commands)
