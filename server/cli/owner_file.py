"""Writes a new token to `owner.token`, or a notice that its token was revoked.

Rule: a file that cannot be read or written does not prevent a revocation.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from server.cli.failures import Failed
from server.cli.output import OutputRow
from server.cli.performing import perform
from server.cli.settings import settings
from server.config import OWNER_TOKEN_FILE

REMEDY: Final = "`token create {user_id} --write` writes another"


def path_of(flags: dict[str, object]) -> Path:
    return settings(flags).config.data_dir / OWNER_TOKEN_FILE


def written(row: OutputRow, flags: dict[str, object]) -> OutputRow:
    """Writes the token of a row to the file, and returns the row with the file's path instead."""
    from server import owner_token
    from server.store.errors import StorageError

    path = path_of(flags)
    try:
        owner_token.replace(path, str(row["token"]))
    except (OSError, StorageError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise Failed(
            f"token {row['id']} was made, but cannot be written to {path} ({reason}); "
            f"run `token revoke {row['id']}` and try again"
        ) from error
    return {**{name: row[name] for name in row if name != "token"}, "token_file": str(path)}


@contextlib.contextmanager
def noticed(flags: dict[str, object], *, user_id: str = "") -> Iterator[None]:
    """Writes a notice into the file if the block revoked its token.

    Args:
        flags: name the data folder.
        user_id: the user named in the remedy; empty for the user of the revoked token.
    """
    before = stored_token(flags)
    yield
    if before is None or stored_token(flags) is not None:
        return
    from server import owner_token
    from server.store.errors import StorageError

    remedy = REMEDY.format(user_id=user_id or before["user_id"])
    path = path_of(flags)
    try:
        owner_token.replace(path, f"the token that was here was revoked: {remedy}")
    except (OSError, StorageError):
        click.echo(f"{path} still has the token, which is refused from now on", err=True)
    click.echo(f"it was the token in {path}: {remedy}", err=True)


def stored_token(flags: dict[str, object]) -> OutputRow | None:
    """Returns the token of the file from the store; None if it is not stored."""
    from actions.v1 import admin_pb2 as pb
    from server import owner_token
    from server.identity.tokens import hash_of
    from server.store.errors import StorageError

    with contextlib.suppress(OSError, StorageError, Failed):
        text = owner_token.read(path_of(flags))
        if text and owner_token.is_personal(text):
            found = perform(pb.FindTokenRequest(secret_sha256=hash_of(text)), flags)
            return found[0] if found else None
    return None
