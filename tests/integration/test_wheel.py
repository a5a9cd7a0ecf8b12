"""What travels in the wheel."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("actions_service-*-py3-none-any.whl")
    with ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("zitadel/management_pb2.py", id="generated code at the top"),
        pytest.param("zitadel/management_pb2_grpc.pyi", id="its types"),
        pytest.param("zitadel/py.typed", id="the mark of its types"),
        pytest.param("server/py.typed", id="the mark of the server's types"),
        pytest.param("transcoder/py.typed", id="the mark of the transcoder's types"),
        pytest.param("server/__main__.py", id="python -m server"),
    ],
)
def test_the_wheel_holds(names: list[str], name: str) -> None:
    assert name in names


def test_the_wheel_holds_every_sql_file(names: list[str]) -> None:
    here = {path.relative_to(ROOT).as_posix() for path in (ROOT / "server").rglob("*.sql")}
    assert here
    assert {name for name in names if name.endswith(".sql")} == here


def test_the_wheel_holds_nothing_else_at_the_top(names: list[str]) -> None:
    tops = {name.split("/", 1)[0] for name in names}
    assert tops == {
        "actions",
        "server",
        "transcoder",
        "validate",
        "zitadel",
        "actions_service-0.1.0.dist-info",
    }
