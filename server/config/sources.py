"""Loads the settings: a flag wins over a variable, a variable over a key of the TOML file.

An error is one line: where the value came from, what was expected, what came.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from server.config import config_file
from server.config.combinations import check_combinations
from server.config.errors import ConfigError, InvalidSetting
from server.config.given import Given
from server.config.setting import Setting
from server.config.table import CONFIG_FILE, SETTINGS, Config

DEFAULT_ORIGIN: Final = "default"
"""Origin of a value that was not given."""


class LoadedConfig(NamedTuple):
    """Holds the settings, and the origin of each by its name ("--listen", "default")."""

    config: Config
    origins: Mapping[str, str]


def load_config(flags: Mapping[str, object], environ: Mapping[str, str]) -> LoadedConfig:
    """Loads the settings.

    Args:
        flags: by name as in `Config`, and `config`, the file; None for a flag that is not given.
        environ: the environment; only the variables of settings are read.

    Raises:
        ConfigError: a value is invalid, or two contradict each other.
    """
    given = {
        setting.name: found
        for setting in (*SETTINGS, CONFIG_FILE)
        if (found := _given(setting, flags, environ)) is not None
    }
    if (file := given.pop(CONFIG_FILE.name, None)) is not None:
        given = config_file.read_file(file) | given
    values = {
        setting.name: _value(setting, given[setting.name])
        for setting in SETTINGS
        if setting.name in given
    }
    config = Config(**values)  # type: ignore[arg-type]  # each was read by its field's kind
    origins = {
        setting.name: given[setting.name].origin if setting.name in given else DEFAULT_ORIGIN
        for setting in SETTINGS
    }
    check_combinations(config, origins)
    return LoadedConfig(config, origins)


def as_toml(loaded: LoadedConfig) -> str:
    """Returns the settings as a configuration file, each with its origin."""
    return "\n".join(
        f"{setting.name} = {setting.written(getattr(loaded.config, setting.name))}"
        f"  # {loaded.origins[setting.name]}"
        for setting in SETTINGS
    )


def _given(
    setting: Setting, flags: Mapping[str, object], environ: Mapping[str, str]
) -> Given | None:
    if (flag := flags.get(setting.name)) is not None:
        return Given(flag, setting.flags[0])
    if setting.variable in environ:
        return Given(environ[setting.variable], setting.variable)
    return None


def _value(setting: Setting, given: Given) -> object:
    try:
        return setting.kind.read(given.value)
    except InvalidSetting as invalid:
        raise ConfigError(
            f"{given.origin}: expected {invalid}, got {setting.shown(given.value)}"
        ) from None
