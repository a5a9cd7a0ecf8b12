"""The options that name settings, and the settings that come of them."""

import os
from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypeVar

import click

from server.cli.failures import Misused
from server.config import ConfigError, Loaded, load

F = TypeVar("F", bound=Callable[..., Any])
Decorator: TypeAlias = Callable[[F], F]

DATA_DIR: Final = click.option(
    "--data-dir", metavar="FOLDER", help="Where everything is kept.  [ACTIONS_DATA_DIR; ./data]"
)
CONFIG: Final = click.option(
    "--config", metavar="FILE", help="A TOML file with settings.  [ACTIONS_CONFIG]"
)


def settings(flags: dict[str, object]) -> Loaded:
    """The settings, from these flags, the environment and the file that either names."""
    try:
        return load(flags, os.environ)
    except ConfigError as error:
        raise Misused(str(error)) from error
