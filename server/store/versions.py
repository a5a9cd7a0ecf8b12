"""Reads the numbered SQL files by which each engine brings its schema up to date."""

import re
from collections.abc import Sequence
from importlib import resources
from typing import NamedTuple

from server.store.errors import StorageError


class Version(NamedTuple):
    number: int
    name: str
    sql: str

    def __str__(self) -> str:
        return f"{self.number:04}_{self.name}"


def versions_of(package: str) -> list[Version]:
    """Returns the SQL files of a package, in the order of their numbers."""
    found = []
    for file in resources.files(package).iterdir():
        name = re.fullmatch(r"(\d{4})_(\w+)\.sql", file.name)
        if name is not None:
            found.append(Version(int(name[1]), name[2], file.read_text(encoding="utf-8")))
    return sorted(found)


def require_known_version(version: int, known: Sequence[Version], database: str) -> None:
    """Checks that this program knows the version of a schema.

    Raises:
        StorageError: a newer program has written the database.
    """
    last = known[-1].number
    if version > last:
        message = (
            f"{database} has schema version {version}, this program knows {last}: "
            "start the newer version that wrote it"
        )
        raise StorageError(message)
