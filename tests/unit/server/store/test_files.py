"""Files of the data folder that another user may have placed."""

import os
import stat
from pathlib import Path

import pytest

from server.store.errors import StorageError
from server.store.files import UnsafeFile, check, open_ours, risks_of
from server.store.folder import DataFolder
from server.store.sqlite.store import SqliteEventStore
from tests.support import placed


def test_missing_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        os.close(open_ours(tmp_path / "file", os.O_RDWR))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


def test_file_of_ours_is_opened_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    descriptor = open_ours(tmp_path / "file", os.O_RDWR)
    try:
        assert os.pread(descriptor, 100, 0) == b"content"
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("place", placed.WAYS)
def test_files_that_another_user_may_have_placed_are_refused(
    place: placed.Way, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    expected = place(path)
    for opens in (check, lambda path: open_ours(path, os.O_RDWR)):
        with pytest.raises(UnsafeFile) as refused:
            opens(path)
        assert str(refused.value).startswith(f"{path}: {expected}")
    assert placed.is_untouched(path)


def test_file_of_another_user_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with placed.another_user() as user, pytest.raises(UnsafeFile) as refused:
        open_ours(path, os.O_RDWR)
    assert str(refused.value) == (
        f"{path}: expected a file of user {user}, which this process runs as, got one of user "
        f"{user - 1}; run as that user, or change the owner of all files"
    )


def test_device_is_refused() -> None:
    with pytest.raises(UnsafeFile, match="expected a regular file, got a device"):
        open_ours(Path("/dev/null"), os.O_RDWR)


@pytest.mark.parametrize("place", placed.WAYS)
def test_lock_that_another_user_may_have_placed_is_refused(
    place: placed.Way, tmp_path: Path
) -> None:
    expected = place(tmp_path / "lock")
    with pytest.raises(StorageError) as refused:
        DataFolder.claim(tmp_path)
    assert str(refused.value).startswith(f"{tmp_path}/lock: {expected}")
    assert placed.is_untouched(tmp_path / "lock")


@pytest.mark.parametrize("name", ["events.sqlite", "events.sqlite-wal", "events.sqlite-shm"])
@pytest.mark.parametrize("place", placed.WAYS)
async def test_database_that_another_user_may_have_placed_is_refused(
    place: placed.Way, name: str, tmp_path: Path
) -> None:
    expected = place(tmp_path / name)
    with pytest.raises(StorageError) as refused:
        await SqliteEventStore.open(tmp_path)
    assert str(refused.value).startswith(f"{tmp_path / name}: {expected}")
    assert placed.is_untouched(tmp_path / name)


async def test_folder_that_is_a_link_is_the_operators_affair(tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir(mode=0o700)
    (tmp_path / "data").symlink_to("volume")
    await (await SqliteEventStore.open(tmp_path / "data")).close()
    assert risks_of(tmp_path / "data") == []


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o775, 0o702])
def test_folder_that_others_may_write_is_a_risk(mode: int, tmp_path: Path) -> None:
    tmp_path.chmod(mode)
    assert risks_of(tmp_path) == [f"its mode {mode:04o} lets others write in it"]


def test_folder_of_another_user_is_a_risk(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    owner = os.geteuid() or 1000
    if os.geteuid() == 0:
        os.chown(folder, owner, -1)
    with placed.another_user() as user:
        assert risks_of(folder) == [f"it belongs to user {owner}, not to user {user}"]
