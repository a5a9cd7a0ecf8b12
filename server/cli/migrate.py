"""Runs `migrate`, which brings the schema of a database up to date."""

import click

from server.cli import output
from server.cli.failures import FAILED, storage_failures
from server.cli.performing import AS_JSON, store_of, stored


@click.command(
    short_help="Bring the schema of the database up to date.",
    epilog="Example: python -m server migrate --database postgresql://actions@db/actions",
)
@click.option("--check", is_flag=True, help="Change nothing; exit 1 if something is missing.")
@AS_JSON
@stored
def migrate(check: bool, as_json: bool, **flags: object) -> int:
    """Bring the schema of the database up to date; of several that run at once, one does it.

    A server brings SQLite up to date itself when it starts, and makes the tables of an empty
    PostgreSQL database. One that has an older schema needs this, as older servers may still use it.
    """
    engine, config = store_of(flags)
    with storage_failures(needs_folder="migrate"):
        versions = (
            engine.missing_versions(config.data_dir) if check else engine.migrate(config.data_dir)
        )
    if as_json:
        output.as_json({"missing" if check else "applied": versions})
    elif versions:
        click.echo(f"{'missing' if check else 'applied'}: {', '.join(versions)}")
    else:
        click.echo("the schema is up to date")
    return FAILED if check and versions else 0
