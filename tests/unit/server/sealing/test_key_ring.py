"""The service finds its keys, makes one on SQLite when it needs one, and refuses wrong ones."""

import asyncio
import stat
from pathlib import Path

import pytest

from server.domain.refusals import Kind, Refusal
from server.domain.sealed import Place
from server.sealing.key_ring import SECRET_KEY_FILE, KeyRing, find_keys, require_keys
from server.sealing.keys import SecretKey
from server.sealing.sealer import CannotOpen
from server.store.errors import StorageError
from server.store.files import UnsafeFile
from tests.support.threads import THREADS

ONE, TWO, THREE = (SecretKey.of(bytes([number]) * 32) for number in (1, 2, 3))
PLACE = Place("org", "secret", "KEY")


def found(folder: Path, *, text: str = "", file: str = "", has_own: bool = True) -> list[SecretKey]:
    return [*find_keys(text=text, file=file, folder=folder, has_own=has_own)]


def test_given_keys_are_before_that_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / SECRET_KEY_FILE).write_text("03" * 32)
    given = tmp_path / "given"
    given.write_text(f"{'01' * 32}\n{'02' * 32}\n")
    assert found(tmp_path, file=str(given)) == [ONE, TWO, THREE]
    assert found(tmp_path, text="02" * 32) == [TWO, THREE]
    assert found(tmp_path, text="02" * 32, has_own=False) == [TWO]
    assert found(tmp_path / "other") == []


def test_a_file_of_the_operator_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "..data").write_text("01" * 32)
    (tmp_path / "key").symlink_to(tmp_path / "..data")
    assert found(tmp_path, file=str(tmp_path / "key")) == [ONE]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(None, "No such file or directory", id="missing"),
        pytest.param("", "expected a key, got none", id="empty"),
        pytest.param("hunter2", "expected 32 bytes in base64 or hex, got something else", id="no"),
    ],
)
def test_a_file_without_a_key_is_named_and_not_shown(
    tmp_path: Path, content: str | None, why: str
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)
    with pytest.raises(StorageError) as caught:
        found(tmp_path, file=str(file))
    assert str(caught.value) == f"secret key {file}: {why}"


def test_a_link_in_the_data_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("01" * 32)
    (tmp_path / SECRET_KEY_FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafeFile):
        found(tmp_path)


def test_keys_that_do_not_open_what_is_stored_are_refused() -> None:
    with pytest.raises(StorageError) as caught:
        require_keys([TWO], [ONE.id])
    assert str(caught.value) == (
        f"stored values are sealed by the key {ONE.id}, got {TWO.id}: "
        "give that key, too, in --secret-key-file or ACTIONS_SECRET_KEY"
    )


@pytest.mark.parametrize(
    ("keys", "used"),
    [
        pytest.param([], [ONE.id], id="no key"),
        pytest.param([ONE], [], id="nothing sealed"),
        pytest.param([TWO, ONE], [ONE.id], id="more keys than used"),
    ],
)
def test_other_keys_are_accepted(keys: list[SecretKey], used: list[str]) -> None:
    require_keys(keys, used)


async def test_a_key_is_made_once_however_many_need_it(tmp_path: Path) -> None:
    ring = KeyRing([], threads=THREADS, makes=tmp_path)
    sealed = await asyncio.gather(*(ring.seal(PLACE, b"value") for _ in range(5)))
    (key,) = found(tmp_path)
    assert {each.key_id for each in sealed} == {key.id}
    assert stat.S_IMODE((tmp_path / SECRET_KEY_FILE).stat().st_mode) == 0o600
    after = KeyRing([key], threads=THREADS, makes=tmp_path)
    assert after.open(PLACE, sealed[0]) == b"value"


def test_no_key_is_made_before_it_is_needed(tmp_path: Path) -> None:
    KeyRing([], threads=THREADS, makes=tmp_path)
    assert [*tmp_path.iterdir()] == []


async def test_without_a_key_sealing_is_refused_and_nothing_opens() -> None:
    sealed = await KeyRing([ONE], threads=THREADS).seal(PLACE, b"value")
    ring = KeyRing([], threads=THREADS)
    with pytest.raises(Refusal) as refused:
        await ring.seal(PLACE, b"value")
    assert (refused.value.kind, refused.value.key) == (
        Kind.FAILED_PRECONDITION,
        "Errors.Secret.NoKey",
    )
    with pytest.raises(CannotOpen):
        ring.open(PLACE, sealed)
