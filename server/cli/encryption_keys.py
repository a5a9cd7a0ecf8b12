"""Runs `bridge target encryption-key`: keys to which a ZITADEL encrypts payloads.

Rule: only public halves are shown.
"""

import click

from server.cli.failures import Failed
from server.cli.output import OutputRow
from server.cli.performing import AS_JSON, ended, keyed, listed, perform, show, stored


@click.group("encryption-key")
def key_commands() -> None:
    """Manage keys to which payloads of a target are encrypted (JWE)."""


@key_commands.command(
    "new",
    short_help="Make a key.",
    epilog="Example: python -m server bridge target encryption-key new 381029384756019283",
)
@click.argument("target_id")
@click.option(
    "--type",
    "key_type",
    type=click.Choice(("rsa", "ec")),
    default="rsa",
    show_default=True,
    help="RSA of 2048 bits, or the curve P-256.",
)
@AS_JSON
@keyed
@stored
def key_new(target_id: str, key_type: str, as_json: bool, **flags: object) -> None:
    """Make a key of TARGET_ID, and show its public half, which ZITADEL is given.

    Earlier keys stay good until they are dropped.
    """
    from actions.v1 import bridge_pb2 as pb

    value = pb.EncryptionKeyType.Value(f"ENCRYPTION_KEY_TYPE_{key_type.upper()}")
    request = pb.CreateEncryptionKeyRequest(target_id=target_id, type=value)
    _show_public(perform(request, flags), as_json)


@key_commands.command(
    "list",
    epilog="Example: python -m server bridge target encryption-key list 381029384756019283",
)
@click.argument("target_id")
@AS_JSON
@keyed
@stored
def key_list(target_id: str, as_json: bool, **flags: object) -> None:
    """List the keys of TARGET_ID; the last is the newest."""
    from actions.v1 import bridge_pb2 as pb

    request = pb.ListEncryptionKeysRequest(target_id=target_id)
    listed(request, as_json, flags, "id", "type", "created_at")


@key_commands.command(
    "show",
    epilog="Example: python -m server bridge target encryption-key show 381029384756019283 42",
)
@click.argument("target_id")
@click.argument("key_id")
@AS_JSON
@keyed
@stored
def key_show(target_id: str, key_id: str, as_json: bool, **flags: object) -> None:
    """Show the public half of KEY_ID, a key of TARGET_ID."""
    from actions.v1 import bridge_pb2 as pb

    rows = perform(pb.ListEncryptionKeysRequest(target_id=target_id), flags)
    found = [row for row in rows if row["id"] == key_id]
    if not found:
        raise Failed(f"target {target_id} has no encryption key {key_id[:40]!r}")
    _show_public(found, as_json)


@key_commands.command(
    "drop",
    epilog="Example: python -m server bridge target encryption-key drop 381029384756019283 42",
)
@click.argument("target_id")
@click.argument("key_id")
@AS_JSON
@keyed
@stored
def key_drop(target_id: str, key_id: str, as_json: bool, **flags: object) -> None:
    """Refuse payloads that are encrypted to KEY_ID, a key of TARGET_ID, from now on."""
    from actions.v1 import bridge_pb2 as pb

    perform(pb.DeleteEncryptionKeyRequest(target_id=target_id, key_id=key_id), flags)
    ended("dropped encryption key", key_id, as_json)


def _show_public(rows: list[OutputRow], as_json: bool) -> None:
    """Shows the public half of the one key."""
    for row in rows:
        if as_json:
            show(row, as_json)
        else:
            click.echo(row["public_key"], nl=False)
