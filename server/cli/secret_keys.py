"""Runs `secret-key`: makes keys that seal values in the database, and changes them."""

import click

from server.cli import output
from server.cli.failures import Failed, Misused, storage_failures
from server.cli.performing import AS_JSON, keyed, keys_of, store_of, stored
from server.cli.progress import reported


@click.group("secret-key")
def secret_key_commands() -> None:
    """Make and change the keys that seal secrets."""


@secret_key_commands.command(
    epilog="Example: python -m server secret-key new > /etc/actions/secret.key"
)
def new() -> None:
    """Print a new key, for --secret-key-file or ACTIONS_SECRET_KEY."""
    from server.sealing.keys import new_key_text

    click.echo(new_key_text())


@secret_key_commands.command(
    short_help="Seal all values by the first key.",
    epilog="Example: python -m server secret-key rotate --secret-key-file /etc/actions/secret.key",
)
@AS_JSON
@keyed
@stored
def rotate(as_json: bool, **flags: object) -> None:
    """Seal all values by the first key; they open by any of the given keys.

    Give the new key first, and the old one behind it, to this command and to the service; then the
    old key is no longer needed. May be stopped and run again. On SQLite no service may run on the
    data folder.
    """
    from server.sealing.sealer import CannotOpen, Sealer
    from server.sealing.stored import reseal

    engine, config = store_of(flags)
    keys = keys_of(config)
    if not keys:
        raise Misused("expected --secret-key-file or ACTIONS_SECRET_KEY, got no key")
    with (
        storage_failures(needs_folder="secret-key rotate"),
        engine.content_writer(config.data_dir) as writer,
    ):
        try:
            count = reseal(writer, Sealer(keys), reported("resealed", "values"))
        except CannotOpen as fault:
            raise Failed(str(fault)) from fault
    if as_json:
        output.as_json({"key": keys[0].id, "resealed": count})
    else:
        click.echo(f"resealed {count} values; all are sealed by the key {keys[0].id}")
