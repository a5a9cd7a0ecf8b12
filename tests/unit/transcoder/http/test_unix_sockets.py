"""Unix sockets by path: what an address names, what may be replaced, who may connect."""

import os
import socket
import stat
from pathlib import Path

import pytest

from tests.support.tables import cases
from transcoder.errors import SchemaError
from transcoder.http.unix_sockets import SocketFile, cleared, listening_socket, socket_path_of


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    return "s"


def left(path: str) -> None:
    """Leave a socket there, as a process that was killed does."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path)


@cases(
    "address, expected",
    {
        "absolute": ("unix:/run/a.sock", "/run/a.sock"),
        "as a URL": ("unix:///run/a.sock", "/run/a.sock"),
        "relative": ("unix:a.sock", "a.sock"),
        "as long as can be": ("unix:" + "a" * 107, "a" * 107),
        "a port": ("127.0.0.1:80", None),
        "abstract": ("unix-abstract:a", None),
    },
)
def test_an_address_names_a_path(address: str, expected: str | None) -> None:
    assert socket_path_of(address) == expected


@cases(
    "address",
    {
        "no path": "unix:",
        "nor in a URL": "unix://",
        "a host": "unix://host/a",
        "NUL": "unix:a\0b",
        "too long": "unix:" + "a" * 108,
    },
)
def test_an_invalid_path_is_refused(address: str) -> None:
    with pytest.raises(SchemaError, match=r"^address 'unix:"):
        socket_path_of(address)


def test_owner_and_group_may_connect_whatever_the_umask(path: str) -> None:
    mask = os.umask(0)
    try:
        with listening_socket(path, backlog=1):
            assert stat.S_IMODE(os.lstat(path).st_mode) == 0o660
        assert os.umask(0) == 0
    finally:
        os.umask(mask)


def test_a_socket_that_was_left_is_replaced(path: str) -> None:
    left(path)
    with listening_socket(path, backlog=1), socket.socket(socket.AF_UNIX) as client:
        client.connect(path)


def test_a_socket_that_somebody_listens_on_stays(path: str) -> None:
    with listening_socket(path, backlog=1):
        before = os.lstat(path).st_ino
        with pytest.raises(OSError, match="another process listens there"):
            listening_socket(path, backlog=1)
        assert os.lstat(path).st_ino == before


def test_one_whose_queue_is_full_stays(path: str) -> None:
    with listening_socket(path, backlog=0), socket.socket(socket.AF_UNIX) as waiting:
        waiting.connect(path)
        with pytest.raises(OSError, match="another process listens there"):
            listening_socket(path, backlog=1)


def _file(path: Path) -> None:
    path.write_text("mine", encoding="ascii")


def _link(path: Path) -> None:
    left("other")
    path.symlink_to("other")


@pytest.mark.parametrize("make", [Path.mkdir, _file, _link, os.mkfifo])
def test_a_file_that_is_no_socket_stays(path: str, make: object) -> None:
    assert callable(make)
    make(Path(path))
    before = os.lstat(path)
    with pytest.raises(OSError, match="expected a socket of this user, got another file"):
        listening_socket(path, backlog=1)
    assert os.lstat(path).st_ino == before.st_ino


def test_another_users_socket_stays(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    left(path)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(OSError, match="expected a socket of this user, got another file"):
        listening_socket(path, backlog=1)
    assert Path(path).is_socket()


def test_two_processes_do_not_replace_one_socket_at_once(path: str) -> None:
    left(path)
    with cleared(path), pytest.raises(OSError, match="another process binds a socket there"):
        listening_socket(path, backlog=1)


def test_without_its_folder_nothing_listens(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        listening_socket(str(tmp_path / "none" / "s"), backlog=1)


def test_only_the_socket_that_was_bound_is_removed(path: str) -> None:
    with listening_socket(path, backlog=1):
        bound = SocketFile(path)
        Path(path).unlink()
        left(path)
        bound.remove()
        assert Path(path).is_socket()
    SocketFile(path).remove()
    assert not Path(path).exists()
