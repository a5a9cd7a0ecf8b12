"""Scripts that mean harm, from tests/corpus/hostile_scripts.toml."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.triggers import Trigger


@dataclass(frozen=True, slots=True)
class Hostile:
    """One script.

    Attributes:
        told: how the text of the failure begins; empty if the script may as well succeed.
    """

    name: str
    source: str
    told: str
    timeout_ms: int
    trigger: Trigger


def _read() -> tuple[Hostile, ...]:
    path = Path(__file__).parents[1] / "corpus" / "hostile_scripts.toml"
    found = []
    for entry in tomllib.loads(path.read_text(encoding="utf-8"))["script"]:
        piece, times = entry.get("repeat", ("", 0))
        flow, number = entry.get("trigger", (2, 4))
        found.append(
            Hostile(
                entry["name"],
                entry["source"].replace("REPEATED", piece * times),
                entry.get("told", ""),
                entry.get("timeout_ms", 300),
                (flow, number),
            )
        )
    return tuple(found)


HOSTILE: Final = _read()
