"""Files that are removed, moved or replaced while they are in use."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from server.store.sqlite.presence import FileGone, Presence

NAMES = ("lock", "database", "log")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_text(name)
    return folder


def presence_in(folder: Path) -> Presence:
    return Presence((folder / "lock", folder / "database"), later=folder / "log")


def settle(presence: Presence) -> None:
    """Waits until a look at the folder is enough."""
    until = time.monotonic() + 10
    while presence._unchanged is None:  # noqa: SLF001  nothing else shows it but its cost
        presence.require()
        assert time.monotonic() < until


def moved(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))


def moved_out(file: Path) -> None:
    file.rename(file.parent.parent / "elsewhere")


def replaced(file: Path) -> None:
    other = file.with_name("other")
    other.write_text("other")
    other.rename(file)


def folder_moved(file: Path) -> None:
    file.parent.rename(file.parent.with_name("moved"))


def folder_replaced(file: Path) -> None:
    folder_moved(file)
    file.parent.mkdir()
    for name in NAMES:
        (file.parent / name).write_text(name)


def as_if_unchanged(file: Path) -> None:
    """Takes the file away, and sets the folder's times as they were."""
    times = file.parent.stat()
    file.unlink()
    os.utime(file.parent, ns=(times.st_atime_ns, times.st_mtime_ns))


WAYS = (
    pytest.param(Path.unlink, id="removed"),
    pytest.param(moved, id="moved"),
    pytest.param(moved_out, id="moved out of the folder"),
    pytest.param(replaced, id="replaced"),
    pytest.param(folder_moved, id="folder moved"),
    pytest.param(folder_replaced, id="folder replaced"),
    pytest.param(as_if_unchanged, id="removed, and the folder's times set back"),
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("take", WAYS)
def test_a_file_that_is_gone_is_noticed_in_a_folder_that_was_at_rest(
    folder: Path, take: Callable[[Path], None], name: str
) -> None:
    presence = presence_in(folder)
    settle(presence)
    take(folder / name)
    with pytest.raises(FileGone):
        presence.require()
    with pytest.raises(FileGone):
        presence.require()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("take", WAYS)
def test_a_file_that_is_gone_is_noticed_in_a_folder_that_just_changed(
    folder: Path, take: Callable[[Path], None], name: str
) -> None:
    presence = presence_in(folder)
    settle(presence)
    (folder / "new").touch()
    presence.require()
    take(folder / name)
    with pytest.raises(FileGone):
        presence.require()


def test_a_file_that_is_put_back_is_present(folder: Path) -> None:
    presence = presence_in(folder)
    settle(presence)
    moved(folder / "database")
    with pytest.raises(FileGone):
        presence.require()
    (folder / "elsewhere").rename(folder / "database")
    presence.require()


def test_a_file_that_comes_later_is_noted_then(folder: Path) -> None:
    (folder / "log").unlink()
    presence = presence_in(folder)
    presence.require()
    (folder / "log").touch()
    settle(presence)
    (folder / "log").unlink()
    with pytest.raises(FileGone, match="log was removed"):
        presence.require()


def test_a_folder_at_rest_is_looked_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    presence = presence_in(folder)
    settle(presence)
    asked: list[str] = []
    stat = os.stat

    def counted(path: str) -> os.stat_result:
        asked.append(path)
        return stat(path)

    monkeypatch.setattr(os, "stat", counted)
    presence.require()
    presence.require_each()
    monkeypatch.undo()
    once, *each = asked
    assert once == str(folder)
    assert each == [str(folder), *(str(folder / name) for name in NAMES)]
