"""Builds the Go server of the bench: grpc-gateway, in process and as a proxy, and grpc-go.

Its code is generated from the same .proto files as ours, by the versions that
tests/bench/go/go.mod names. What was built before is kept, and built anew only where it differs.
"""

import functools
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tests.support.golang import GoFolder
from tests.support.processes import ROOT

_SOURCES: Final = Path(__file__).parent / "go"
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


@functools.cache
def build() -> Path:
    """Returns the program, built once.

    Raises:
        GoError: there is no Go, or it cannot build; the text has its errors.
    """
    folder = GoFolder(ROOT / "build" / "bench-go", sources=_SOURCES)
    _generate(folder, folder.build("tools/", *_TOOLS))
    return folder.build("bench-gateway", ".")


def _generate(folder: GoFolder, tools: Path) -> None:
    google = find_spec("google.api.annotations_pb2")
    assert google is not None
    assert google.origin is not None
    named = ",".join(f"M{file}=bench/gen/{package}" for file, package in _PACKAGES.items())
    options = f"module=bench,{named}"
    folder.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}"),
            f"-I{Path(google.origin).parents[2]}",
            *(f"--plugin={tool}" for tool in sorted(map(str, tools.iterdir()))),
            *(f"--go_out={folder.path}", f"--go_opt={options}"),
            *(f"--go-grpc_out={folder.path}", f"--go-grpc_opt={options}"),
            *(f"--grpc-gateway_out={folder.path}", f"--grpc-gateway_opt={options}"),
            *_PACKAGES,
        ]
    )
