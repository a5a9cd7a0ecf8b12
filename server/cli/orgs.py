"""Runs `org`, also while the service runs on the data folder."""

import click

from server.cli import output
from server.cli.failures import Failed
from server.cli.output import OutputRow
from server.cli.owner_file import noticed
from server.cli.performing import AS_JSON, created, ended, listed, perform, stored


@click.group("org")
def org_commands() -> None:
    """Manage organisations, which own actions and flows."""


@org_commands.command("create", epilog='Example: python -m server org create "Acme Ltd"')
@click.argument("name")
@AS_JSON
@stored
def org_create(name: str, as_json: bool, **flags: object) -> None:
    """Create an organisation called NAME."""
    from actions.v1 import admin_pb2 as pb

    created(pb.CreateOrgRequest(name=name), as_json, flags)


@org_commands.command(
    "rename", epilog='Example: python -m server org rename 381029384756019283 "Acme Inc"'
)
@click.argument("org_id")
@click.argument("name")
@AS_JSON
@stored
def org_rename(org_id: str, name: str, as_json: bool, **flags: object) -> None:
    """Rename the organisation ORG_ID to NAME."""
    from actions.v1 import admin_pb2 as pb

    created(pb.RenameOrgRequest(org_id=org_id, name=name), as_json, flags)


@org_commands.command(
    "remove",
    short_help="Remove an organisation, with all that belongs to it.",
    epilog="Example: python -m server org remove 381029384756019283",
)
@click.argument("org_id")
@click.option("--yes", is_flag=True, help="Remove without asking.")
@AS_JSON
@stored
def org_remove(org_id: str, yes: bool, as_json: bool, **flags: object) -> None:
    """Remove the organisation ORG_ID, with all that belongs to it, for good.

    Its users are refused at once; its data is deleted in steps. If the command is stopped before
    all is deleted, run it again.
    """
    from actions.v1 import admin_pb2 as pb

    (contents,) = perform(pb.GetOrgContentsRequest(org_id=org_id), flags)
    if not yes:
        _confirm_removal(contents)
    with noticed(flags, user_id="USER_ID"):
        perform(pb.RemoveOrgRequest(org_id=org_id), flags)
        total, clear = _count(contents), pb.ClearOrgRequest(org_id=org_id)
        while (left := _count(*perform(clear, flags))) > 0:
            click.echo(f"deleted {max(total - left, 0)} of {total}", err=True)
        ended("removed organisation", org_id, as_json)


def _confirm_removal(contents: OutputRow) -> None:
    output.record(contents, err=True)
    try:
        may_go = click.confirm("Remove all of this for good?", err=True)
    except click.Abort as error:
        click.echo(err=True)
        raise Failed("nothing was removed; --yes removes without asking") from error
    if not may_go:
        raise Failed("nothing was removed")


def _count(contents: OutputRow) -> int:
    return sum(value for value in contents.values() if isinstance(value, int))


@org_commands.command("list")
@AS_JSON
@stored
def org_list(as_json: bool, **flags: object) -> None:
    """List all organisations, in order of creation.

    Organisations whose removal is not finished come last, with the state removed; org remove
    finishes it.
    """
    from actions.v1 import admin_pb2 as pb

    listed(pb.ListAllOrgsRequest(), as_json, flags, "id", "name", "state", "created_at")
