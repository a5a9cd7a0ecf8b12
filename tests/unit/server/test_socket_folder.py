"""Folders of sockets that killed processes left."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from server.socket_folder import SocketFolder, remove_left_folders

HOLDS = """
import socket, sys
from server.socket_folder import SocketFolder
folder = SocketFolder()
bound = socket.socket(socket.AF_UNIX)
bound.bind(str(folder.path / "admin.sock"))
print(folder.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def with_socket(folder: Path, name: str = "admin.sock") -> Path:
    folder.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(folder / name))
    return folder


def test_folder_of_a_killed_process_is_removed_and_not_before(temporary: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        assert folder.parent == temporary
        assert remove_left_folders() == 0
        assert (folder / "admin.sock").exists()
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert folder.exists()
    assert remove_left_folders() == 1
    assert not folder.exists()


def test_folder_is_removed_by_its_own_process(temporary: Path) -> None:
    folder = SocketFolder()
    folder.remove()
    assert list(temporary.iterdir()) == []


def test_socket_that_is_listened_at_stays(temporary: Path) -> None:
    folder = temporary / "actions-abcdefgh"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "admin.sock"))
        listening.listen()
        assert remove_left_folders() == 0
    assert remove_left_folders() == 1


@pytest.mark.parametrize(
    ("name", "removed"), [("admin.sock", 1), ("grpc.sock", 1), ("other.sock", 0)]
)
def test_folder_that_has_a_socket_of_ours_alone_is_removed(
    name: str, removed: int, temporary: Path
) -> None:
    folder = with_socket(temporary / "actions-abcdefgh", name)
    assert remove_left_folders() == removed
    assert folder.exists() != bool(removed)


@pytest.mark.parametrize("name", ["actions-runner", "actions-", "other-abcdefgh"])
def test_folder_of_another_name_stays(name: str, temporary: Path) -> None:
    with_socket(temporary / name)
    assert remove_left_folders() == 0


def test_folder_that_has_anything_else_stays(temporary: Path) -> None:
    (temporary / "actions-emptyone").mkdir()
    (with_socket(temporary / "actions-abcdefgh") / "more").touch()
    (temporary / "actions-textfile").mkdir()
    (temporary / "actions-textfile" / "admin.sock").write_text("text")
    (temporary / "actions-ijklmnop").symlink_to(with_socket(temporary / "elsewhere"))
    (temporary / "actions-filefile").touch()
    assert remove_left_folders() == 0
    assert (temporary / "elsewhere" / "admin.sock").exists()


def test_folder_of_another_user_stays(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = with_socket(temporary / "actions-abcdefgh")
    user = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert remove_left_folders() == 0
    assert folder.exists()
