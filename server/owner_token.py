"""Reads and writes `owner.token` in the data folder, a token for commands on this machine.

A new text is a new file that replaces the old one, so that a reader never finds a part of it.
A notice in place of the token says why there is none; it has blanks, a token has not.
"""

import os
from pathlib import Path
from typing import Final

from server.identity.tokens import PREFIX
from server.store.files import check, make, open_ours, sync_folder

_READ_MAX_BYTES: Final = 4096
"""Max bytes of a token or a notice."""


def read(path: Path) -> str | None:
    """Returns the text of the file, stripped; None if there is no such file.

    Raises:
        UnsafeFile: another user may have placed it.
        OSError: it cannot be read.
    """
    if not check(path):
        return None
    with os.fdopen(open_ours(path, os.O_RDONLY), encoding="ascii", errors="replace") as file:
        return file.read(_READ_MAX_BYTES).strip()


def is_notice(text: str) -> bool:
    """True if the text has more than one word."""
    return len(text.split()) > 1


def is_personal(text: str) -> bool:
    """True if the text has the form of a personal access token."""
    return text.startswith(PREFIX) and not is_notice(text)


def prepare(new_file: Path, text: str) -> None:
    """Writes a new file, which `publish` renames, and waits until it is on the disk.

    Raises:
        FileExistsError: the new file exists.
        OSError: it cannot be written.
    """
    with os.fdopen(make(new_file, os.O_WRONLY), "w", encoding="ascii") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    sync_folder(new_file.parent)


def publish(new_file: Path, path: Path) -> None:
    """Gives a prepared file its name."""
    new_file.replace(path)  # replaces also a link that somebody placed meanwhile
    sync_folder(path.parent)


def replace(path: Path, text: str) -> None:
    """Replaces the text of the file.

    Raises:
        UnsafeFile: another user may have placed the file.
        OSError: it cannot be written.
    """
    check(path)
    new_file = path.with_name(f"{path.name}.tmp")
    if check(new_file):
        new_file.unlink()  # left by a command that was killed
    prepare(new_file, text)
    publish(new_file, path)
