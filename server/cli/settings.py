"""The options that name settings, and the settings that come of them."""

import os
from typing import Final

import click

from server.cli.failures import Misused
from server.config import ConfigError, Loaded, load

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
