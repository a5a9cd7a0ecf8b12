"""Builds servers of echo.v1.Echo in Go and Java, which print their address when they are started.

The versions of what they need are in go/go.mod and java/pom.xml.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.support.golang import GoFolder
from tests.support.processes import ROOT

_HERE: Final = Path(__file__).parent
_PROTO: Final = "tests/proto/echo.proto"
_BUILD_S: Final = 300.0


class BuildError(Exception):
    """There is no Java, or a program cannot be built; the text has its errors."""


def go_server() -> list[str]:
    """Returns the command that starts the server in Go.

    Raises:
        GoError: there is no Go, or it cannot build.
        BuildError: protoc fails.
    """
    folder = GoFolder(ROOT / "build" / "zitadel-go", sources=_HERE / "go")
    plugin = folder.build("protoc-gen-go", "google.golang.org/protobuf/cmd/protoc-gen-go")
    options = f"module=client,M{_PROTO}=client/gen/echo"
    _protoc(f"--plugin={plugin}", f"--go_out={folder.path}", f"--go_opt={options}")
    return [str(folder.build("echo_server", "echo_server.go"))]


def java_server() -> list[str]:
    """Returns the command that starts the server in Java.

    Raises:
        BuildError: there is no JDK or Maven, or they fail.
    """
    folder = ROOT / "build" / "echo-java"
    classes, jars, described = folder / "classes", folder / "jars", folder / "echo.binpb"
    classes.mkdir(parents=True, exist_ok=True)
    pom = _HERE / "java" / "pom.xml"
    _run("mvn", "-B", "-q", "-f", str(pom), "dependency:copy-dependencies", _output(jars))
    source = str(_HERE / "java" / "EchoServer.java")
    _run("javac", "-d", str(classes), "-cp", f"{jars}/*", source)
    _protoc(f"--descriptor_set_out={described}")
    return ["java", "-cp", f"{classes}{os.pathsep}{jars}/*", "EchoServer", str(described)]


def _output(folder: Path) -> str:
    return f"-DoutputDirectory={folder}"


def _protoc(*arguments: str) -> None:
    _run(sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT}", *arguments, _PROTO)


def _run(program: str, *arguments: str) -> None:
    found = shutil.which(program)
    if found is None:
        raise BuildError(f"{program}: expected it in PATH")
    done = subprocess.run(
        [found, *arguments],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=_BUILD_S,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout)[-2000:]
        raise BuildError(f"{program} {' '.join(arguments[:3])} …: {said}")
