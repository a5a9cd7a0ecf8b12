"""Checks all stored contents of sealed values, and seals them anew by another key."""

from collections.abc import Iterator
from typing import Final

from server.domain.sealed import Place, Sealed
from server.sealing.sealer import CannotOpen, Sealer
from server.store.engine import ContentReader, ContentWriter, Progress, StoredContent

CONTENTS_AT_ONCE: Final = 100
"""Max contents of one transaction."""


def faults_of(reader: ContentReader, sealer: Sealer) -> Iterator[str]:
    """Yields why a content does not open, for each that does not."""
    for contents in _parts(reader):
        for id_, sealed in contents:
            try:
                sealer.open(Place.of(id_), sealed)
            except CannotOpen as fault:
                yield str(fault)


def reseal(writer: ContentWriter, sealer: Sealer, progress: Progress) -> int:
    """Seals by the first key what another one seals; returns how many contents that were.

    It may be stopped at any time: what is not resealed yet still opens by its old key.

    Raises:
        CannotOpen: a content does not open.
    """
    done, seen = 0, 0
    for contents in _parts(writer):
        changes: list[tuple[StoredContent, Sealed]] = []
        for id_, sealed in contents:
            if sealed.key_id != sealer.key_id:
                place = Place.of(id_)
                anew = sealer.seal(place, sealer.open(place, sealed))
                changes.append(((id_, sealed), anew))
        if changes:
            writer.replace(changes)
        done, seen = done + len(changes), seen + len(contents)
        progress(seen, seen)
    return done


def _parts(reader: ContentReader) -> Iterator[list[StoredContent]]:
    after = ""
    while contents := [*reader.contents(after, CONTENTS_AT_ONCE)]:
        yield contents
        after = contents[-1][0]
