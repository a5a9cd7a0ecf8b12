"""Writes docs/settings.md, the reference of the settings, from their table.

Run as `python -m server.config.reference > docs/settings.md`, which `make gen` does.
"""

import sys
from typing import Final

from server.config.setting import Setting
from server.config.table import CONFIG_FILE, SETTINGS, TOKEN

_TOP: Final = """\
# Settings

Made from the table in `server/config/table.py` by `make gen`: edit the table, not this page. A test
compares the two.

A setting of `python -m server serve` is a flag, else an environment variable (which `make run`
honours), else a key of the TOML file that `--config` names, else the default. A key has the flag's
name without `--`, with `-` or with `_`. A list is a TOML list or one text. `serve --check-config`
prints all settings and where each came from, then stops.

An invalid value stops the start with one line: where it came from, what is expected, what it is. A
variable that is almost a setting (`ACTIONS_LISTN`) is ignored, with a warning that names the
nearest setting. `unix:path` makes a socket with mode 0660, for its owner and group
(`--listen unix:/run/actions/http.sock`).
"""
_BESIDE: Final = """\
`--data-dir` and `--config` are flags of every command that reads the data folder. Only `call` has
`--token`; its value is a secret and is never printed.
"""
_HEAD: Final = "| flag | variable | value | default | meaning |\n|---|---|---|---|---|\n"


def reference_page() -> str:
    """Returns docs/settings.md."""
    return "\n".join((_TOP, _table(*SETTINGS), _BESIDE, _table(CONFIG_FILE, TOKEN)))


def _table(*settings: Setting) -> str:
    return _HEAD + "".join(map(_row, settings))


def _row(setting: Setting) -> str:
    flags = ", ".join(f"`{flag}`" for flag in setting.flags)
    cells = (
        flags,
        f"`{setting.variable}`",
        setting.kind.expected,
        setting.default_text,
        setting.meaning,
    )
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    sys.stdout.write(reference_page())
