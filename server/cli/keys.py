"""Runs `key`: machine keys, by which users get access tokens, also while the service runs.

Rule: a file with a key has mode 0600, and never replaces another.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from server.cli.expiry import expiry
from server.cli.failures import Failed, Misused
from server.cli.output import OutputRow
from server.cli.performing import AS_JSON, ORG, ended, listed, perform, show, stored

_JSON: Final = "json"


@click.group("key")
def key_commands() -> None:
    """Manage machine keys, by which tools get access tokens."""


@key_commands.command(
    "create",
    short_help="Create a machine key.",
    epilog="Example: python -m server key create 381029384756019283 --output key.json",
)
@click.argument("user_id")
@click.option(
    "--type",
    "type_",
    type=click.Choice([_JSON, "client-secret"]),
    default=_JSON,
    help="A file with a private key, or a client secret whose client id is USER_ID.",
)
@click.option(
    "--expires",
    "expires_at",
    callback=expiry,
    default="never",
    metavar="WHEN",
    help="Expiry: from now (12h, 90d), or a time (2030-01-31T12:00:00Z); never, if not given.",
)
@click.option(
    "--output",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the key to a new file that only you can read, and do not show it.",
)
@AS_JSON
@stored
def key_create(
    user_id: str,
    type_: str,
    expires_at: int | None,
    path: Path | None,
    as_json: bool,
    **flags: object,
) -> None:
    """Create a machine key of USER_ID. Its secret is shown only now.

    A key of type json is printed as the file that ZITADEL's tools read.
    """
    from actions.v1 import admin_pb2 as pb

    if type_ != _JSON and path is not None:
        raise Misused("--output: expected --type json, as a client secret has no file")
    kind = pb.KEY_TYPE_JSON if type_ == _JSON else pb.KEY_TYPE_CLIENT_SECRET
    request = pb.CreateKeyRequest(user_id=user_id, type=kind)
    if expires_at is not None:
        request.expires_at.FromMicroseconds(expires_at)
    if path is not None:
        with _new_file(path) as descriptor:
            (row,) = perform(request, flags)
            _write(descriptor, path, row)
        show({**_without(row, "file", "client_secret"), "file": str(path)}, as_json)
        return
    (row,) = perform(request, flags)
    if type_ != _JSON:
        shown = _without(row, "file", "client_secret")
        show({**shown, "client_id": row["user_id"], "client_secret": row["client_secret"]}, as_json)
    elif as_json:
        show(_without(row, "client_secret"), as_json)
    else:
        click.echo(row["file"])


@key_commands.command("list", short_help="List the keys of a user, or of an organisation.")
@click.argument("user_id", required=False, default="")
@ORG
@AS_JSON
@stored
def key_list(user_id: str, org_id: str, as_json: bool, **flags: object) -> None:
    """List the machine keys of USER_ID, or of an organisation, without their secrets."""
    from actions.v1 import admin_pb2 as pb

    columns = ("id", "user_id", "type", "expires_at", "created_at")
    listed(pb.ListKeysRequest(org_id=org_id, user_id=user_id), as_json, flags, *columns)


@key_commands.command("delete", short_help="Delete a machine key.")
@click.argument("key_id")
@AS_JSON
@stored
def key_delete(key_id: str, as_json: bool, **flags: object) -> None:
    """Delete the machine key KEY_ID; access tokens issued for it are refused from now on."""
    from actions.v1 import admin_pb2 as pb

    perform(pb.DeleteKeyRequest(key_id=key_id), flags)
    ended("deleted key", key_id, as_json)


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[int]:
    """Makes a file before the key is made, so that no key is made in vain; removes it on failure.

    Raises:
        Failed: there can be no such new file.
    """
    from server.store.files import make

    try:
        descriptor = make(path, os.O_WRONLY)
    except OSError as error:
        raise Failed(f"{path}: expected the path of a new file, got: {error.strerror}") from error
    try:
        yield descriptor
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def _write(descriptor: int, path: Path, row: OutputRow) -> None:
    try:
        with os.fdopen(descriptor, "w", encoding="ascii", closefd=False) as file:
            file.write(f"{row['file']}\n")
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        raise Failed(
            f"key {row['id']} was made, but cannot be written to {path} ({error.strerror}); "
            f"run `key delete {row['id']}` and try again"
        ) from error


def _without(row: OutputRow, *names: str) -> OutputRow:
    return {name: value for name, value in row.items() if name not in names}
