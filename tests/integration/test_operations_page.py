"""docs/operations.md, typed line by line into one shell, prints what it shows."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.support.certificates import Authority
from tests.support.postgresql import program, shared_server
from tests.support.processes import ROOT
from tests.support.stand_ins import CURL, stand_ins
from tests.support.transcripts import steps

pytestmark = pytest.mark.timeout(240)  # some processes, one after another

PAGE: Final = ROOT / "docs/operations.md"
TIMEOUT_S: Final = 200.0
NEXT: Final = "--- next step ---"
DIFFERS: Final = {
    r"\b\d{18}\b": "ID",
    r"\d{4}-\d\d-\d\dT[0-9:.]+Z": "TIME",
    r'"ms":[0-9.]+': '"ms":0',
    r"127\.0\.0\.1:\d+": "ADDRESS",
    r'"request_id":"[0-9a-f]{20}"': '"request_id":"ID"',
}
"""Patterns of values that differ each time."""


def free_address() -> str:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return "{}:{}".format(*bound.getsockname())


def test_the_walk_prints_what_it_shows(tmp_path: Path) -> None:
    shown = list(steps(PAGE.read_text("utf-8")))
    assert len(shown) >= 15
    authority = Authority(tmp_path, "ca")
    authority.pair("server")
    authority.pair("renewed")
    listen = free_address()
    script = f"\necho '{NEXT}'\n".join(step.command for step in shown)
    database = asyncio.run(shared_server().new_database())
    for shown_as, here in (
        ("127.0.0.1:8080", listen),
        (".venv/bin/python", sys.executable),
        ("postgresql://actions:PASSWORD@127.0.0.1/actions", database),
    ):
        assert shown_as in script
        script = script.replace(shown_as, here)
    environment = {
        **os.environ,
        "ACTIONS_LISTEN": listen,
        "ACTIONS_GRPC_LISTEN": "none",
        "LC_ALL": "C",
        "PATH": f"{program('psql').parent}:{stand_ins(tmp_path / 'bin', {'curl': CURL})}",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}",
    }
    status, out, errors = typed(script, folder=tmp_path, environment=environment)
    assert status == 0, errors
    printed = out.split(f"{NEXT}\n")
    assert [masked(text) for text in printed] == [masked(step.printed) for step in shown]


def typed(script: str, *, folder: Path, environment: dict[str, str]) -> tuple[int, str, str]:
    """Runs a script in a shell, and ends what it leaves running.

    Returns:
        Its status, its output and its errors.
    """
    with subprocess.Popen(
        ["sh", "-eu", "-c", script],  # noqa: S607  the system's
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    ) as shell:
        try:
            out, errors = shell.communicate(timeout=TIMEOUT_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
    return shell.returncode, out, errors


def masked(text: str) -> str:
    for pattern, name in DIFFERS.items():
        text = re.sub(pattern, name, text)
    return text.rstrip()
