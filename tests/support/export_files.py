"""Exports as files that a test changes: read as JSON, written again with a trailer that fits."""

import hashlib
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from server.exports import writing
from server.store import opening
from tests.support.clocks import NOON

Document: TypeAlias = dict[str, Any]


def exported(folder: Path, *org_ids: str, file: Path) -> Path:
    """Exports a data folder, or some of its organisations, to the file."""
    with opening.event_reader(folder) as reader, file.open("wb") as out:
        writing.export(
            reader, out, org_ids=org_ids or None, now=NOON, progress=lambda _done, _all: None
        )
    return file


def read(file: Path) -> list[Document]:
    """Returns the header and the events."""
    return [orjson.loads(line) for line in file.read_bytes().splitlines()[:-1]]


def write(file: Path, documents: list[Document]) -> None:
    """Writes a header and events, and the trailer that fits them."""
    header, *events = (orjson.dumps(document) + b"\n" for document in documents)
    content = b"".join(events)
    trailer = {"events": len(events), "sha256": hashlib.sha256(content).hexdigest()}
    file.write_bytes(header + content + orjson.dumps(trailer) + b"\n")
