"""The README's tour, typed line by line into one shell, prints what the README shows."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.support.commandline import Server
from tests.support.processes import ROOT
from tests.support.stand_ins import CURL, stand_ins
from tests.support.transcripts import steps

README: Final = ROOT / "README.md"
NEXT: Final = "--- next step ---"
DIFFERS: Final = {
    r'"\d{15,20}"': '"ID"',
    r'"\d{4}-\d\d-\d\dT[0-9:.]+Z"': '"TIME"',
    r'"\d+(?:\.\d+)?s"': '"DURATION"',
}
"""Patterns of values that differ each time."""


def test_the_tour_prints_what_it_shows(tmp_path: Path) -> None:
    shown = list(steps(README.read_text("utf-8")))
    assert len(shown) >= 8
    with Server(folder=tmp_path) as server:
        script = f"\necho '{NEXT}'\n".join(step.command for step in shown)
        script = script.replace("127.0.0.1:8080", server.listen)
        script = script.replace(".venv/bin/python", sys.executable)
        done = subprocess.run(
            ["sh", "-eu", "-c", script],  # noqa: S607  the system's
            cwd=tmp_path,
            env={
                **os.environ,
                "ACTIONS_LISTEN": server.listen,
                "PATH": stand_ins(tmp_path / "bin", {"curl": CURL}),
                "PYTHONPATH": str(ROOT),
            },
            capture_output=True,
            encoding="utf-8",
            timeout=45,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    printed = done.stdout.split(f"{NEXT}\n")
    assert [masked(text) for text in printed] == [masked(step.printed) for step in shown]


def masked(text: str) -> str:
    for pattern, name in DIFFERS.items():
        text = re.sub(pattern, name, text)
    return text.rstrip()
