"""Reads the settings of a TOML file."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from server.config.errors import ConfigError
from server.config.given import Given
from server.config.table import SETTINGS
from server.config.toml_form import cut

FILE_MAX_BYTES: Final = 1 << 20
"""Max bytes of the file; a larger one is refused."""

_NAMES: Final = tuple(setting.name for setting in SETTINGS)


def read_file(file: Given) -> dict[str, Given]:
    """Returns the values in the file by the names of their settings; they are not checked yet.

    Args:
        file: the path, and where it came from.

    Raises:
        ConfigError: the file is unreadable, not TOML, or has an unknown key.
    """
    values: dict[str, Given] = {}
    for key, value in _parsed(file).items():
        name = key.replace("-", "_")
        if name not in _NAMES:
            known = ", ".join(_NAMES)
            raise ConfigError(f"{file.value}: unknown key {cut(key)}, expected one of {known}")
        if name in values:
            raise ConfigError(f"{file.value}: {name} is given twice, with - and with _")
        values[name] = Given(value, f"{file.value}: {key}")
    return values


def _parsed(file: Given) -> Mapping[str, object]:
    content = _content(file)
    if len(content) > FILE_MAX_BYTES:
        raise ConfigError(f"{file.value}: expected at most {FILE_MAX_BYTES} bytes of TOML")
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as exc:
        raise ConfigError(
            f"{file.value}: expected UTF-8, got {content[exc.start : exc.end]!r}"
        ) from exc
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{file.value}: expected TOML: {exc}") from exc
    except ValueError as exc:
        # Python raises it for a decimal number of more than 4300 digits; tomllib does not.
        raise ConfigError(f"{file.value}: expected TOML, got a number of too many digits") from exc
    except RecursionError as exc:
        raise ConfigError(f"{file.value}: expected TOML, got values nested too deep") from exc


def _content(file: Given) -> bytes:
    """Returns the bytes of the file, at most one more than `FILE_MAX_BYTES`."""
    try:
        with Path(str(file.value)).open("rb") as opened:
            return opened.read(FILE_MAX_BYTES + 1)
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "not a path"
        raise ConfigError(f"{file.origin}: cannot read {cut(file.value)}: {why}") from exc
