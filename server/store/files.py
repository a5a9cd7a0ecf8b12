"""Opens and makes files of the data folder; refuses those that another user may have placed.

Follows open(2) and symlink(7). An own file is a regular file (the admin socket: a socket) that
belongs to the user of this process and has one hard link. Any other file may be a trap of another
user, who could read what is written to it, or have another file overwritten.

Knows nothing of the contents of files.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from server.store.errors import StorageError

_FOLDER_WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH

_KINDS: Final = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISREG, "a regular file"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISFIFO, "a pipe"),
)


class UnsafeFile(StorageError):
    """Another user may have placed the file; the text names it and the remedy."""


def check(path: Path, *, is_socket: bool = False) -> bool:
    """Returns True for an own file, False if there is no file.

    Raises:
        UnsafeFile: the file is not an own one.
        OSError: it cannot be inspected.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    _check(path, found, is_socket=is_socket)
    return True


def open_ours(path: Path, flags: int) -> int:
    """Opens an own file, which is made with mode 0600 if it is missing.

    Raises:
        UnsafeFile: another user may have placed it.
        OSError: it cannot be opened.
    """
    try:
        return make(path, flags)
    except FileExistsError:
        check(path)  # before it is opened: opening a pipe or a device has effects
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _check(path, os.fstat(descriptor))
    except UnsafeFile:
        os.close(descriptor)
        raise
    return descriptor


def make(path: Path, flags: int) -> int:
    """Makes and opens a file with mode 0600.

    Raises:
        FileExistsError: the name exists, be it only a link.
        OSError: it cannot be made.
    """
    return os.open(path, flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def make_anew(path: Path) -> None:
    """Makes an empty file with mode 0600, in place of one that an earlier attempt left."""
    if check(path):
        path.unlink()
    os.close(make(path, os.O_RDWR))


@contextlib.contextmanager
def appearing(target: Path) -> Iterator[Path]:
    """Yields an empty file; renames it to the target at the end, or removes it after an error.

    So the target never has a part of its content. What is written must be made durable inside.
    """
    part = target.with_name(f"{target.name}.part")
    make_anew(part)
    try:
        yield part
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def sync_folder(path: Path) -> None:
    """Makes the folder durable: which names it has, and their files."""
    _sync(path, os.O_DIRECTORY)


def sync_file(path: Path) -> None:
    """Makes the content of a file durable."""
    _sync(path, 0)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def risks_of(folder: Path) -> list[str]:
    """Returns why other users can replace files in the folder; empty if none can.

    Raises:
        OSError: it cannot be inspected.
    """
    found = folder.stat()  # follows links: the operator may name one
    risks = []
    if found.st_uid not in {os.geteuid(), 0}:
        risks.append(f"it belongs to user {found.st_uid}, not to user {os.geteuid()}")
    if found.st_mode & _FOLDER_WRITABLE_BY_OTHERS:
        risks.append(f"its mode {stat.S_IMODE(found.st_mode):04o} lets others write in it")
    return risks


def _check(path: Path, found: os.stat_result, *, is_socket: bool = False) -> None:
    expected, is_expected = (
        ("a socket", stat.S_ISSOCK) if is_socket else ("a regular file", stat.S_ISREG)
    )
    if not is_expected(found.st_mode):
        got = next((name for is_kind, name in _KINDS if is_kind(found.st_mode)), "a device")
        raise UnsafeFile(f"{path}: expected {expected}, got {got}; remove it, or move it away")
    if found.st_uid != os.geteuid():
        raise UnsafeFile(
            f"{path}: expected a file of user {os.geteuid()}, which this process runs as, "
            f"got one of user {found.st_uid}; run as that user, or change the owner of all files"
        )
    if found.st_nlink > 1:
        raise UnsafeFile(
            f"{path}: expected one hard link, got {found.st_nlink}; "
            "replace it by a copy, so that no other name leads to it"
        )
