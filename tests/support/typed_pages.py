"""Types the commands of a page into one shell, and compares what they print with what it shows."""

import contextlib
import os
import re
import signal
import socket
import subprocess
from pathlib import Path
from typing import Final

TIMEOUT_S: Final = 200.0
NEXT: Final = "--- next step ---"
DIFFERS: Final = {
    r"\b\d{18}\b": "ID",
    r"\d{4}-\d\d-\d\dT[0-9:.]+Z": "TIME",
    r'"ms":[0-9.]+': '"ms":0',
    r"127\.0\.0\.1:\d+": "ADDRESS",
    r'"request_id":"[0-9a-f]{20}"': '"request_id":"ID"',
    r'"\d+\.\d+s"': '"TIME"',
}
"""Patterns of values that differ each time."""


def free_address() -> str:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return "{}:{}".format(*bound.getsockname())


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
