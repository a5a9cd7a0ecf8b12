import stat
from pathlib import Path

import orjson
import pytest

from server.store.errors import DataFolderInUse, StorageError
from server.store.folder import DataFolder


def test_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    DataFolder.claim(tmp_path / "deep" / "data").release()
    assert stat.S_IMODE((tmp_path / "deep" / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "deep" / "data" / "lock").stat().st_mode) == 0o600


def test_second_claim_names_the_folder_the_process_and_its_admin_socket(tmp_path: Path) -> None:
    folder = DataFolder.claim(tmp_path, admin="/run/admin.sock")
    pid = orjson.loads((tmp_path / "lock").read_bytes())["pid"]
    with pytest.raises(DataFolderInUse) as refused:
        DataFolder.claim(tmp_path)
    assert str(refused.value) == f"data folder {tmp_path} is in use by process {pid}"
    assert (refused.value.pid, refused.value.admin) == (pid, "/run/admin.sock")
    folder.release()


@pytest.mark.parametrize("text", [b"", b'{"pid": ', b"[]", b'{"pid": "x", "admin": 1}'])
def test_holder_that_has_not_said_who_it_is_still_holds(tmp_path: Path, text: bytes) -> None:
    folder = DataFolder.claim(tmp_path)
    (tmp_path / "lock").write_bytes(text)
    with pytest.raises(DataFolderInUse, match=r"is in use by another process$"):
        DataFolder.claim(tmp_path)
    folder.release()


def test_released_folder_can_be_claimed_again(tmp_path: Path) -> None:
    DataFolder.claim(tmp_path).release()
    DataFolder.claim(tmp_path).release()


def test_folder_that_is_a_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(StorageError) as refused:
        DataFolder.claim(tmp_path / "data")
    assert str(refused.value) == f"data folder {tmp_path}/data cannot be used: File exists"
