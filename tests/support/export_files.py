"""Exports as files that a test changes: read as JSON, written again with a trailer that fits."""

import hashlib
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from server.exports import writing
from server.store.opening import engine_of
from tests.support.clocks import NOON

Document: TypeAlias = dict[str, Any]


def exported(folder: Path, *org_ids: str, file: Path) -> Path:
    """Exports a data folder, or some of its organisations, to the file."""
    with engine_of("").event_reader(folder) as reader, file.open("wb") as out:
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


def write_many(file: Path, *, events: int) -> None:
    """Writes an export of an organisation with many actions."""
    header = {"format": "actions-export", "version": 1, "exportedAt": "2026-01-02T03:04:05.000000Z"}
    common = {"createdAt": header["exportedAt"], "orgId": "m", "editor": "", "sequence": 1}
    org = {"aggregateType": "org", "aggregateId": "m", "type": "org.added"}
    documents = [common | org | {"payload": {"name": "Many"}}]
    for number in range(events - 1):
        action = {"aggregateType": "action", "aggregateId": f"m{number}", "type": "action.added"}
        payload = {"name": f"n{number}", "script": "s" * 200}
        documents.append(common | action | {"payload": payload})
    numbered = [document | {"position": n} for n, document in enumerate(documents, 1)]
    write(file, [header | {"orgIds": None, "lastPosition": events}, *numbered])
