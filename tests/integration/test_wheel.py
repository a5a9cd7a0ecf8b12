"""The two wheels: what is in them, and that they serve where pip and uv install them."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.processes import ROOT

pytestmark = pytest.mark.timeout(600)  # what is installed comes from an index, over the network
SERVICE = "actions_service"
LIBRARY = "transcoder"
FREE = "127.0.0.1:0"


@dataclass(frozen=True, slots=True)
class Wheels:
    service: Path
    library: Path


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    return Wheels(
        built(ROOT, tmp_path_factory.mktemp("service")),
        built(ROOT / LIBRARY, tmp_path_factory.mktemp("library")),
    )


def built(project: Path, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    (wheel,) = folder.glob("*-py3-none-any.whl")
    return wheel


def files_of(wheel: Path) -> set[str]:
    """The files that it installs, without its metadata."""
    with ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_each_wheel_is_one_package(wheels: Wheels) -> None:
    for wheel, package in ((wheels.service, SERVICE), (wheels.library, LIBRARY)):
        assert {name.split("/", 1)[0] for name in files_of(wheel)} == {package}


def test_the_library_has_every_module_and_page_of_its_folder(wheels: Wheels) -> None:
    files = (
        *(ROOT / LIBRARY).rglob("*.py"),
        *(ROOT / LIBRARY / "openapi" / "swagger_ui").iterdir(),
        ROOT / LIBRARY / "py.typed",
    )
    here = {path.relative_to(ROOT).as_posix() for path in files}
    assert files_of(wheels.library) == here


def test_the_service_has_every_file_of_its_folder_and_of_generated_code(wheels: Wheels) -> None:
    here = {
        f"{SERVICE}/{path.relative_to(ROOT / folder).as_posix()}"
        for folder in ("server", "gen")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files_of(wheels.service) == here


def test_no_import_of_the_service_leaves_its_package(wheels: Wheels) -> None:
    gone = ("from server", "from zitadel", "from validate", "from actions.", "import server")
    with ZipFile(wheels.service) as archive:
        for name in archive.namelist():
            if name.endswith((".py", ".pyi")):
                lines = archive.read(name).decode().splitlines()
                assert [line for line in lines if line.strip().startswith(gone)] == []


def test_the_librarys_source_distribution_has_its_licence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT / LIBRARY, check=True, capture_output=True)
    (source,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        (member,) = (found for found in archive if found.name.partition("/")[2] == "LICENSE")
        licence = archive.extractfile(member) if member.isfile() else None
        assert licence is not None
        assert licence.read() == (ROOT / "LICENSE").read_bytes()


@pytest.mark.parametrize("package", [SERVICE, LIBRARY])
def test_the_page_of_an_index_links_to_no_file(wheels: Wheels, package: str) -> None:
    wheel = wheels.service if package == SERVICE else wheels.library
    with ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        page = archive.read(name).decode()
    assert "pip install" in page
    assert re.findall(r"\]\((?!https://)", page) == []


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_the_library_serves_beside_urllib3_2(
    wheels: Wheels, installer: str, tmp_path: Path
) -> None:
    python = environment(tmp_path, has_pip=installer == "pip")
    install = installing(installer, python)
    of_the_example = ("grpcio-reflection", "grpcio-status")
    done([*install, str(wheels.library), "urllib3>=2", *of_the_example])
    folder = shutil.copytree(ROOT / "examples" / "library", tmp_path / "library")
    command = [python, "-u", "serve.py", "--http", FREE, "--grpc", FREE]
    with started(command, folder) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        (address,) = (line.split()[-1] for line in lines if line.startswith("listening on "))
        ask = f"import urllib3; print(urllib3.request('GET', 'http://{address}/v1/books').json())"
        assert done([python, "-c", ask]) == "{}\n"
    printing = str(Path(python).with_name("transcoder"))
    assert "/v1/books/{id}" in done([printing, "library_pb2", "--prefix", "/v1"], folder)
    coding = "from transcoder.http.encodings import ACCEPT_ENCODING; print(ACCEPT_ENCODING)"
    zstd = "zstd, " if sys.version_info >= (3, 14) else ""
    assert done([python, "-c", coding]) == f"{zstd}gzip\n"
    configure = "from transcoder import Transcoder; Transcoder(service_config=b'http: {}')"
    refused = subprocess.run(
        [python, "-c", configure], env=clean(), capture_output=True, encoding="utf-8", check=False
    )
    assert "install grpc-transcoder[yaml] to read YAML" in refused.stderr


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_the_service_serves_beside_configobj(
    wheels: Wheels, installer: str, tmp_path: Path
) -> None:
    python = environment(tmp_path, has_pip=installer == "pip")
    install = installing(installer, python)
    done([*install, str(wheels.service), str(wheels.library), "configobj"])
    done([python, "-c", "from validate import Validator; Validator()"])  # configobj's
    (tmp_path / "server.py").write_text("raise SystemExit('not the service')")
    command = str(Path(python).with_name("actions-service"))
    with started([command, "serve", "--listen", FREE, "--grpc-listen", FREE], tmp_path) as process:
        assert process.stdout is not None
        address = process.stdout.readline().rpartition("http://")[2].strip()

        def call(method: str, message: object, protocol: str = "json") -> dict[str, object]:
            options = ["--protocol", protocol, "--address", address]
            printed = done([command, "call", method, json.dumps(message), *options], tmp_path)
            answer: dict[str, object] = json.loads(printed)
            return answer

        script = "function a(ctx, api) { api.v1.claims.setClaim('ran', 'yes') }"
        made = call("CreateAction", {"name": "a", "script": script})
        named = {"id": made["id"]}
        trigger = {"flowType": "2", "triggerType": "4"}
        call("SetTriggerActions", {**trigger, "actionIds": [made["id"]]})
        call("DeactivateAction", named, "grpc-web")
        call("ReactivateAction", named, "grpc-web")
        assert call("RunTrigger", {**trigger, "context": {}})["effects"] == {
            "claims": {"ran": "yes"}
        }


def environment(folder: Path, *, has_pip: bool) -> str:
    """Makes a virtual environment; returns its interpreter."""
    venv.create(folder / "env", with_pip=has_pip)
    return str(folder / "env" / "bin" / "python")


def installing(installer: str, python: str) -> list[str]:
    """Returns the command that installs what follows it into an environment."""
    if installer == "uv":
        return [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python]
    return [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def done(command: Sequence[str], folder: Path | None = None) -> str:
    ended = subprocess.run(
        command, cwd=folder, env=clean(), capture_output=True, encoding="utf-8", check=False
    )
    assert ended.returncode == 0, f"{command}\n{ended.stderr}"
    return ended.stdout


def clean() -> dict[str, str]:
    """The environment of a user, who has not this repository on the path."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


class started:  # noqa: N801  reads as `with started(…)`
    """A process until the end of the block, stopped by its own id."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._log = (folder / "log.txt").open("wb")
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=clean(),
            stdout=subprocess.PIPE,
            stderr=self._log,
            encoding="utf-8",
        )

    def __enter__(self) -> subprocess.Popen[str]:
        return self._process

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._log.close()
