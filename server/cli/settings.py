"""Makes the options that name settings, and loads the settings."""

import os
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from server.cli.failures import Misused
from server.config import ConfigError, LoadedConfig, load_config
from server.config.setting import Setting
from server.config.table import CONFIG_FILE, SETTINGS, TOKEN

CommandFunction = TypeVar("CommandFunction", bound=Callable[..., Any])


def _option(
    setting: Setting, *, envvar: str | None = None
) -> Callable[[CommandFunction], CommandFunction]:
    """Returns the option of a setting; its value is None if it is not given.

    Args:
        setting: names the flag, its help and its default.
        envvar: the variable, if click reads it and not `load_config`.
    """
    is_switch = len(setting.flags) > 1
    return click.option(
        "/".join(setting.flags),
        metavar=None if is_switch else setting.kind.metavar,
        default=None,
        envvar=envvar,
        help=f"{setting.meaning}  [{setting.variable}; {setting.default_text}]",
    )


_OPTIONS: Final = {setting.name: _option(setting) for setting in SETTINGS}
DATA_DIR: Final = _OPTIONS["data_dir"]
DATABASE: Final = _OPTIONS["database"]
SECRET_KEY: Final = _OPTIONS["secret_key"]
SECRET_KEY_FILE: Final = _OPTIONS["secret_key_file"]
CONFIG: Final = _option(CONFIG_FILE)
CALLER_TOKEN: Final = _option(TOKEN, envvar=TOKEN.variable)


def every_setting(command: CommandFunction) -> CommandFunction:
    """Adds the options of all settings to a command."""
    for setting in reversed(SETTINGS):
        command = _option(setting)(command)
    return command


def settings(flags: dict[str, object]) -> LoadedConfig:
    """Returns the settings from the flags, the environment and the configuration file.

    Raises:
        Misused: a setting is invalid.
    """
    try:
        return load_config(flags, os.environ)
    except ConfigError as error:
        raise Misused(str(error)) from error
