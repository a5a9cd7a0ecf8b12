"""Recipes work wherever the checkout is: with blanks and quotes in its path, too."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = (
    "Makefile",
    "constraints.txt",
    "pyproject.toml",
    "transcoder/pyproject.toml",
    "examples/browser/package-lock.json",
    "examples/browser/page.js",
    "tests/integration/node/package-lock.json",
    "tests/integration/node/chromium.mjs",
    "tests/conformance/package-lock.json",
    "tests/conformance/apis/package-lock.json",
    "tests/conformance/typescript/package-lock.json",
)
TARGETS = ("run", "example-browser", "test", "gen", "gen-check", "lock", "lint", "conformance")


@pytest.mark.parametrize("target", TARGETS)
def test_a_recipe_is_a_command_in_any_folder(target: str, tmp_path: Path) -> None:
    checkout = tmp_path / "it's a checkout"
    for name in NEEDED:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    told = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", target],  # noqa: S607  the system's
        cwd=checkout,
        capture_output=True,
        check=True,
    )
    subprocess.run(
        ["sh", "-eun", "-c", told.stdout],  # noqa: S607  the system's
        check=True,
    )
    assert b".venv" in told.stdout
