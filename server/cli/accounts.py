"""org, user, member, token: accounts, also while the service runs on the same data folder."""

import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeVar

import click
import msgspec

from server.cli import output
from server.cli.failures import Misused
from server.cli.settings import CONFIG, DATA_DIR, settings
from server.operations import (
    AddMember,
    CreateOrg,
    CreateToken,
    CreateUser,
    ListMembers,
    ListOrgs,
    ListTokens,
    ListUsers,
    Operation,
    RemoveMember,
    RemoveUser,
    RenameOrg,
    Result,
    RevokeToken,
    SetRoles,
    UpdateUser,
)

F = TypeVar("F", bound=Callable[..., Any])

_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LAST_AT: Final = 253_402_300_800_000_000
"""The year 10000, in microseconds: later than any date that can be written."""

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
_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _stored(command: F) -> F:
    """The options that say which data folder is meant."""
    return DATA_DIR(CONFIG(command))


def _expiry(_context: click.Context, _option: click.Parameter, text: str) -> int | None:
    """A moment, as microseconds since the epoch; from now ("90d") or a date and time."""
    if text == "never":
        return None
    if match := re.fullmatch(r"([0-9]{1,9})([smhdw])", text):
        at = time.time_ns() // 1000 + int(match[1]) * _UNIT_S[match[2]] * 1_000_000
        if at < _LAST_AT:
            return at
    elif (moment := _moment(text)) is not None:
        return int(moment.timestamp() * 1_000_000)
    raise click.BadParameter(
        "expected never, a time from now (12h, 90d), or a date and time with its zone "
        f"(2030-01-31T12:00:00Z), got {text[:40]!r}"
    )


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment


def _perform(operation: Operation, flags: dict[str, object]) -> list[Result]:
    from server.cli.store import perform

    try:
        msgspec.json.encode(operation)
    except UnicodeEncodeError as error:
        text = error.object[:40].encode(errors="surrogateescape")
        raise Misused(f"expected UTF-8, got {text!r}") from error
    return perform(settings(flags).config.data_dir, operation)


def _created(operation: Operation, as_json: bool, flags: dict[str, object]) -> None:
    for row in _perform(operation, flags):
        (output.as_json if as_json else output.record)(row)


def _ended(what: str, id: str, as_json: bool) -> None:
    if as_json:
        output.as_json({"id": id})
    else:
        click.echo(f"{what} {id}")


def _listed(operation: Operation, as_json: bool, flags: dict[str, object], *columns: str) -> None:
    rows = _perform(operation, flags)
    if as_json:
        output.as_json(rows)
    else:
        output.table(rows, *columns)


@click.group()
def org() -> None:
    """Organisations: who owns actions."""


@org.command("create", epilog='Example: python -m server org create "Acme Ltd"')
@click.argument("name")
@_JSON
@_stored
def create_org(name: str, as_json: bool, **flags: object) -> None:
    """Make an organisation called NAME."""
    _created(CreateOrg(name), as_json, flags)


@org.command("rename", epilog='Example: python -m server org rename 381029384756019283 "Acme Inc"')
@click.argument("org_id")
@click.argument("name")
@_JSON
@_stored
def rename_org(org_id: str, name: str, as_json: bool, **flags: object) -> None:
    """Call the organisation ORG_ID NAME from now on."""
    _created(RenameOrg(org_id, name), as_json, flags)


@org.command("list")
@_JSON
@_stored
def list_orgs(as_json: bool, **flags: object) -> None:
    """List all organisations, in order of creation."""
    _listed(ListOrgs(), as_json, flags, "id", "name", "created_at")


@click.group()
def user() -> None:
    """Users: who may have tokens and memberships."""


@user.command("create", epilog="Example: python -m server user create deploy-bot")
@click.argument("name")
@_LANGUAGE
@_SUBJECT
@_ORG
@_JSON
@_stored
def create_user(
    name: str,
    language: str | None,
    subject: str | None,
    org_id: str,
    as_json: bool,
    **flags: object,
) -> None:
    """Make a user called NAME; it may do nothing until it is made a member."""
    _created(CreateUser(name, org_id, language or "", subject or ""), as_json, flags)


@user.command(
    "update", epilog="Example: python -m server user update 381029384756019283 --language de"
)
@click.argument("user_id")
@click.option("--name", metavar="TEXT", help="Another name.")
@_LANGUAGE
@_SUBJECT
@_JSON
@_stored
def update_user(
    user_id: str,
    name: str | None,
    language: str | None,
    subject: str | None,
    as_json: bool,
    **flags: object,
) -> None:
    """Change what is given of USER_ID, and leave the rest."""
    if name is None and language is None and subject is None:
        raise Misused("expected --name, --language or --subject")
    _created(UpdateUser(user_id, name, language, subject), as_json, flags)


@user.command("remove")
@click.argument("user_id")
@_JSON
@_stored
def remove_user(user_id: str, as_json: bool, **flags: object) -> None:
    """Take USER_ID away, with its memberships and tokens; what it wrote stays."""
    _perform(RemoveUser(user_id), flags)
    _ended("removed user", user_id, as_json)


@user.command("list")
@_ORG
@_JSON
@_stored
def list_users(org_id: str, as_json: bool, **flags: object) -> None:
    """List the users of an organisation, in order of creation."""
    columns = ("id", "name", "language", "subject", "created_at")
    _listed(ListUsers(org_id), as_json, flags, *columns)


@click.group()
def member() -> None:
    """Members: which user has which roles in an organisation."""


@member.command("add", epilog=_ROLES)
@click.argument("user_id")
@click.argument("roles", nargs=-1, required=True, metavar="ROLE...")
@_ORG
@_JSON
@_stored
def add_member(
    user_id: str, roles: tuple[str, ...], org_id: str, as_json: bool, **flags: object
) -> None:
    """Make USER_ID a member with one or more roles."""
    _created(AddMember(user_id, roles, org_id), as_json, flags)


@member.command("set-roles", epilog=_ROLES.replace("member add", "member set-roles"))
@click.argument("user_id")
@click.argument("roles", nargs=-1, required=True, metavar="ROLE...")
@_ORG
@_JSON
@_stored
def set_roles(
    user_id: str, roles: tuple[str, ...], org_id: str, as_json: bool, **flags: object
) -> None:
    """Give the member USER_ID these roles, instead of those that it has."""
    _created(SetRoles(user_id, roles, org_id), as_json, flags)


@member.command("remove")
@click.argument("user_id")
@_ORG
@_JSON
@_stored
def remove_member(user_id: str, org_id: str, as_json: bool, **flags: object) -> None:
    """Take USER_ID's membership away; its tokens stay, without rights here."""
    _perform(RemoveMember(user_id, org_id), flags)
    _ended("removed member", user_id, as_json)


@member.command("list")
@click.argument("user_id", required=False, default="")
@_ORG
@_JSON
@_stored
def list_members(user_id: str, org_id: str, as_json: bool, **flags: object) -> None:
    """List the memberships of USER_ID in all organisations, or the members of one."""
    columns = ("org_id", "user_id", "user_name", "roles", "created_at")
    _listed(ListMembers(org_id, user_id), as_json, flags, *columns)


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
@_JSON
@_stored
def create_token(
    user_id: str, description: str, expires_at: int | None, as_json: bool, **flags: object
) -> None:
    """Make a token for USER_ID. It is shown now and never again."""
    _created(CreateToken(user_id, description, expires_at), as_json, flags)


@token.command("list")
@click.argument("user_id", required=False, default="")
@_ORG
@_JSON
@_stored
def list_tokens(user_id: str, org_id: str, as_json: bool, **flags: object) -> None:
    """List the tokens of USER_ID, or of an organisation; never what a caller would send."""
    columns = ("id", "user_id", "description", "expires_at", "created_at")
    _listed(ListTokens(user_id, org_id), as_json, flags, *columns)


@token.command("revoke")
@click.argument("token_id")
@_JSON
@_stored
def revoke_token(token_id: str, as_json: bool, **flags: object) -> None:
    """Refuse a token from now on; TOKEN_ID is its id, as token list shows it."""
    _perform(RevokeToken(token_id), flags)
    _ended("revoked token", token_id, as_json)


GROUPS: Final = (org, user, member, token)
