"""Reads the metadata of a call: pairs from grpc.aio, or the headers of an HTTP request."""

from collections.abc import Iterator
from typing import Protocol, TypeAlias

Pairs: TypeAlias = tuple[tuple[str, str | bytes], ...]


class Indexed(Protocol):
    """Declares metadata that finds an entry by its key; a tuple of pairs has to be scanned."""

    def get(self, key: str) -> str | bytes | None:
        """Returns the first value under the key; raises ValueError if it is invalid in metadata."""

    def __iter__(self) -> Iterator[tuple[str, str | bytes]]:
        """Yields all entries; builds them first."""


Metadata: TypeAlias = Pairs | Indexed


class InvalidMetadata(Exception):
    """An entry of a caller's metadata is invalid; the text names it, for the caller."""


def metadata_text(metadata: Metadata, key: str) -> str:
    """Returns the first text under the key; empty if it is missing or invalid."""
    try:
        value = metadata_value(metadata, key)
    except InvalidMetadata:
        return ""
    return value if isinstance(value, str) else ""


def metadata_value(metadata: Metadata, key: str) -> str | bytes | None:
    """Returns the first value under the key.

    Raises:
        InvalidMetadata: the value is invalid in metadata.
    """
    if not isinstance(metadata, tuple):
        try:
            return metadata.get(key)
        except ValueError:
            raise InvalidMetadata(f"{key}: expected printable ASCII characters") from None
    for name, value in metadata:
        if name == key:
            return value
    return None


def metadata_values(metadata: Metadata, key: str) -> tuple[str | bytes, ...]:
    """Returns all values under the key.

    Raises:
        InvalidMetadata: the first value is invalid in metadata.
    """
    if metadata_value(metadata, key) is None:
        return ()
    return tuple(value for name, value in metadata if name == key)
