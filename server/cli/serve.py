"""x."""

import click


@click.command()
def serve() -> None:
    """X."""
