"""Finds the secret keys: those given by settings, then that of the data folder.

On SQLite a key that is needed and not given is made: the file `secret.key` in the data folder, with
the rules of its other files. On PostgreSQL, which several machines share, a key is given.
Rule: no key is ever in a log or an error.
"""

import asyncio
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

import structlog

from server.domain.refusals import failed_precondition
from server.domain.sealed import Place, Sealed
from server.sealing.keys import InvalidKeys, SecretKey, new_key_text, read_keys
from server.sealing.sealer import CannotOpen, Sealer
from server.store.errors import StorageError
from server.store.files import appearing, check, open_ours, sync_file
from server.store.read_model import ReadModel, SealingKeys
from server.threads import ThreadPool

SECRET_KEY_FILE: Final = "secret.key"  # noqa: S105  the name of a file
"""Name of the file in the data folder that has a key; mode 0600."""

_FILE_MAX_BYTES: Final = 64 << 10

log = structlog.get_logger()


def find_keys(*, text: str, file: str, folder: Path, has_own: bool) -> Sequence[SecretKey]:
    """Returns the keys that there are; reads files.

    Args:
        text: keys as a setting has them; empty for none.
        file: the path of a file with keys; empty for none.
        folder: the data folder.
        has_own: True if the data folder may have a key (SQLite).

    Raises:
        StorageError: a file cannot be read, or has no key.
    """
    keys = [*read_keys(text)] if text else []
    if file:
        keys += _keys_in(Path(file))
    own = folder / SECRET_KEY_FILE
    if has_own and _exists(own):
        keys += _keys_in(own, is_ours=True)
    return [*{key.id: key for key in keys}.values()]


def require_keys(keys: Sequence[SecretKey], used: Collection[str]) -> None:
    """Checks that keys open what is stored; none at all may come later.

    Args:
        keys: that there are.
        used: ids of the keys that stored values are sealed by.

    Raises:
        StorageError: keys are there, but not all of those that are used.
    """
    missing = sorted({*used} - {key.id for key in keys})
    if keys and missing:
        raise StorageError(
            f"stored values are sealed by the key {missing[0]}, got {', '.join(k.id for k in keys)}"
            ": give that key, too, in --secret-key-file or ACTIONS_SECRET_KEY"
        )


async def open_key_ring(
    reads: ReadModel, *, text: str, file: str, folder: Path, has_own: bool, threads: ThreadPool
) -> "KeyRing":
    """Returns the keys that seal the values of a store.

    Args:
        reads: the store.
        text: as for `find_keys`.
        file: likewise.
        folder: likewise.
        has_own: likewise; a key is made there when it is first needed.
        threads: read and write files.

    Raises:
        StorageError: keys cannot be read, or do not open what is stored.
    """
    keys = await threads.run("", find_keys, text=text, file=file, folder=folder, has_own=has_own)
    used = await reads.read(SealingKeys())
    require_keys(keys, used)
    if used and not keys:
        log.error("sealed values cannot be opened, as there is no key", key=used[0])
    return KeyRing(keys, threads=threads, makes=folder if has_own and not used else None)


class KeyRing:
    """Seals and opens values for the service."""

    def __init__(
        self, keys: Sequence[SecretKey], *, threads: ThreadPool, makes: Path | None = None
    ) -> None:
        """Takes the keys that there are.

        Args:
            keys: may be none.
            threads: reads and writes files.
            makes: the data folder in which a key is made when it is first needed; None if the
                operator gives keys.
        """
        self._sealer = Sealer(keys) if keys else None
        self._threads = threads
        self._makes = makes
        self._turn = asyncio.Lock()

    async def seal(self, place: Place, value: bytes) -> Sealed:
        """Seals a value by the first key.

        Raises:
            Refusal: FAILED_PRECONDITION, there is no key.
            StorageError: a key cannot be made.
        """
        sealer = self._sealer or await self._made()
        return sealer.seal(place, value)

    async def _made(self) -> Sealer:
        if self._makes is None:
            raise failed_precondition("Errors.Secret.NoKey", "SEAL-No1ky")
        async with self._turn:
            if self._sealer is None:
                self._sealer = Sealer(await self._threads.run("", _made_in, self._makes))
            return self._sealer

    def open(self, place: Place, sealed: Sealed) -> bytes:
        """Returns the value.

        Raises:
            CannotOpen: its key is not here, or it was changed or moved from another place.
        """
        if self._sealer is None:
            raise CannotOpen(f"{place.id}: sealed by the key {sealed.key_id}, which is not given")
        return self._sealer.open(place, sealed)


def _made_in(folder: Path) -> Sequence[SecretKey]:
    """Returns the key of the folder, which is made if it is missing, and durable."""
    path = folder / SECRET_KEY_FILE
    if not _exists(path):
        try:
            with appearing(path) as part:
                part.write_text(f"{new_key_text()}\n", encoding="ascii")
                sync_file(part)
        except OSError as error:
            raise _unusable(path, error.strerror) from error
    return _keys_in(path, is_ours=True)


def _exists(path: Path) -> bool:
    try:
        return check(path)
    except OSError as error:
        raise _unusable(path, error.strerror) from error


def _keys_in(path: Path, *, is_ours: bool = False) -> Sequence[SecretKey]:
    try:
        descriptor = open_ours(path, os.O_RDONLY) if is_ours else os.open(path, os.O_RDONLY)
        with os.fdopen(descriptor, "rb") as opened:
            return read_keys(opened.read(_FILE_MAX_BYTES).decode("ascii", "replace"))
    except OSError as error:
        raise _unusable(path, error.strerror) from error
    except InvalidKeys as error:
        raise _unusable(path, str(error)) from None


def _unusable(path: Path, why: str | None) -> StorageError:
    return StorageError(f"secret key {path}: {why}")
