"""Reads the settings of the service: flags over environment over a TOML file.

`table.Config` declares each setting once. Flags, variables, keys of the file, `--help` and
docs/settings.md are made from it.

Rule: reads only the configuration file; listens to nothing and writes nothing.
"""

from server.config.address import Address, SocketPath, listening
from server.config.errors import ConfigError
from server.config.kinds import NO_ADDRESS, LogFormat
from server.config.sources import LoadedConfig, as_toml, load_config
from server.config.table import OWNER_TOKEN_FILE, VARIABLES, Config

__all__ = [
    "NO_ADDRESS",
    "OWNER_TOKEN_FILE",
    "VARIABLES",
    "Address",
    "Config",
    "ConfigError",
    "LoadedConfig",
    "LogFormat",
    "SocketPath",
    "as_toml",
    "listening",
    "load_config",
]
