"""Finds variables of the environment whose names are misspelt settings.

A variable is reported only if its name is close to a setting: CI runners set `ACTIONS_RUNTIME_URL`,
and Kubernetes sets `ACTIONS_SERVICE_HOST` and `ACTIONS_PORT` for a service called `actions`.
"""

import difflib
import re
from collections.abc import Collection, Mapping
from typing import Final

_PREFIX: Final = re.compile(r"ACTIONS?_*", re.IGNORECASE)
_RATIO_MIN: Final = 0.7
"""Min ratio of difflib for two names without the prefix; LISTN and LISTEN have 0.9."""


def nearest_settings(environ: Collection[str], settings: Collection[str]) -> Mapping[str, str]:
    """Returns the nearest setting of each misspelt variable.

    Args:
        environ: the names of all variables.
        settings: the names of the variables that are read.
    """
    by_end = {_end(name): name for name in settings}
    nearest: dict[str, str] = {}
    for variable in sorted(environ):
        if variable in settings or not _PREFIX.match(variable):
            continue
        for end in difflib.get_close_matches(_end(variable), by_end, 1, _RATIO_MIN):
            nearest[variable] = by_end[end]
    return nearest


def _end(name: str) -> str:
    return _PREFIX.sub("", name, count=1).upper().replace("-", "_")
