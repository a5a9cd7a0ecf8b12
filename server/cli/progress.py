"""Reports the progress of long work, a line a second on standard error."""

import time
from collections.abc import Callable
from typing import Final

import click

REPORT_S: Final = 1.0
"""Seconds between two lines."""


def reported(verb: str, unit: str) -> Callable[[int, int], None]:
    """Returns a function that takes the number done and the total: "applied 5 of 9 events"."""
    due = 0.0

    def show(done: int, total: int) -> None:
        nonlocal due
        if time.monotonic() >= due or done == total:
            due = time.monotonic() + REPORT_S
            click.echo(f"{verb} {done} of {total} {unit}", err=True)

    return show
