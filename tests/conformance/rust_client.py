"""Runs the client in Rust of docs/clients.md against the service, with a key file.

The version of the crate is in tests/conformance/rust/Cargo.toml.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tests.conformance.clients_page import ClientFailed, printed_program, require_activation
from tests.support.processes import ROOT
from tests.support.real_server import ONE_PORT, RealServer

_SOURCES: Final = Path(__file__).parent / "rust"
_RUN_S: Final = 30.0


def run() -> None:
    """Builds the program, and has it make an action active.

    Raises:
        ClientFailed: there is no cargo, the program cannot be built, or it does something else.
    """
    cargo = shutil.which("cargo")
    if cargo is None:
        raise ClientFailed("cargo: expected it in PATH")
    folder = ROOT / "build" / "zitadel-rust"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_SOURCES / "Cargo.toml", folder / "Cargo.toml")
    (folder / "main.rs").write_text(printed_program("Rust", "rust"), encoding="utf-8")
    _ran([cargo, "build", "--quiet"], folder)
    with tempfile.TemporaryDirectory(prefix="zitadel-rust-") as data:
        key_file = Path(data) / "key.json"
        with RealServer(Path(data) / "data", *ONE_PORT) as server:
            (owner,) = server.command("user", "list")
            server.command("key", "create", owner["id"], "--output", str(key_file))
            given = {"HTTP": server.http, "KEY_FILE": str(key_file)}
            client = str(folder / "target/debug/client")
            require_activation("zitadel (Rust)", server, lambda: _ran([client], folder, **given))


def _ran(command: list[str], folder: Path, **environment: str) -> str:
    """Returns what a command prints.

    Raises:
        ClientFailed: it fails.
    """
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=_RUN_S if environment else None,
        check=False,
    )
    if done.returncode:
        raise ClientFailed(f"{' '.join(command[:2])}: {done.stderr[-2000:]}")
    return done.stdout
