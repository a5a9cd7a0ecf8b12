"""Exports that are not what export wrote: each is refused by its file and line."""

import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from server.exports.reading import LINE_MAX_BYTES, Contents, check
from server.store.errors import StorageError
from tests.support import export_files
from tests.support.export_files import Document
from tests.support.tables import cases

EVENTS = 56
TRAILER = EVENTS + 2
"""The line of the trailer."""
FIRST_EVENT = """b'{"position":1,"createdAt":"2023-11-14T"""
"""The start of line 2, as an error shows it."""


def unheard(_done: int, _all: int) -> None: ...


def refusal_of(file: Path) -> str:
    with pytest.raises(StorageError) as refused:
        check(file, unheard)
    return str(refused.value).removeprefix(str(file))


def test_a_whole_export_has_its_events_and_organisations(file: Path) -> None:
    read: list[tuple[int, int]] = []
    assert check(file, lambda *bytes_: read.append(bytes_)) == Contents(EVENTS, {"o", "p", "q"}, 1)
    assert read[-1] == (file.stat().st_size, file.stat().st_size)


def test_a_file_that_is_cut_off_after_any_line_or_in_it_is_refused(file: Path) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    cut_off = "expected more lines, got the end: the file is cut off; copy it again"
    for count in range(len(lines)):
        file.write_bytes(b"".join(lines[:count]))
        assert refusal_of(file) == f":{count + 1}: {cut_off}"
        file.write_bytes(b"".join(lines[:count]) + lines[count][:-1])
        assert refusal_of(file) == f":{count + 1}: {cut_off}"


Edit: TypeAlias = Callable[[list[bytes]], object]
"""Changes the lines of a file."""


def replaced(line: int, old: bytes, new: bytes) -> Edit:
    def replace(lines: list[bytes]) -> None:
        assert old in lines[line - 1]
        lines[line - 1] = lines[line - 1].replace(old, new, 1)

    return replace


@cases(
    "edit, refusal",
    {
        "another file": (
            lambda lines: lines.insert(0, b"PK\x03\x04 is a zip\n"),
            r":1: expected the header of an export, got b'PK\x03\x04 is a zip\n'",
        ),
        "header is missing": (
            lambda lines: lines.pop(0),
            f":1: expected the header of an export, got {FIRST_EVENT}",
        ),
        "later version": (
            replaced(1, b'"version":1', b'"version":2'),
            ":1: expected version 1, got 2; import it by the program that wrote it",
        ),
        "version is no number": (
            replaced(1, b'"version":1', b'"version":"1"'),
            ":1: expected a number from 0 as version, got '1'",
        ),
        "line of garbage": (
            lambda lines: lines.insert(6, b"garbage\n"),
            r":7: expected a JSON object, got b'garbage\n'",
        ),
        "empty line": (
            lambda lines: lines.insert(6, b"\n"),
            r":7: expected a JSON object, got b'\n'",
        ),
        "JSON of another kind": (
            lambda lines: lines.insert(6, b"[1]\n"),
            r":7: expected a JSON object, got b'[1]\n'",
        ),
        "deep JSON": (
            lambda lines: lines.insert(6, b'{"a":' * 100_000 + b"\n"),
            """:7: expected a JSON object, got b'{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a""",
        ),
        "invalid UTF-8": (
            replaced(2, b"Acme", b"Acm\xff"),
            f":2: expected a JSON object, got {FIRST_EVENT}",
        ),
        "lone surrogate": (
            replaced(2, b"Acme", rb"\ud800"),
            f":2: expected a JSON object, got {FIRST_EVENT}",
        ),
        "field is missing": (
            replaced(2, b'"editor":"",', b""),
            ":2: expected a text as editor, got None",
        ),
        "id that some databases cannot have": (
            replaced(2, b'"editor":""', rb'"editor":"a\u0000"'),
            r":2: expected an id of printable characters as editor, got 'a\x00'",
        ),
        "field of another type": (
            replaced(2, b'"sequence":1', b'"sequence":true'),
            ":2: expected a number from 1 as sequence, got True",
        ),
        "number that no database has": (
            replaced(2, b'"sequence":1', b'"sequence":9223372036854775808'),
            ":2: expected a number from 1 as sequence, got 9223372036854775808",
        ),
        "time of another form": (
            replaced(2, b"2023-11-14T22:13:21.000000Z", b"2023-11-14T22:13:21Z"),
            ":2: expected a time as createdAt, got '2023-11-14T22:13:21Z'",
        ),
        "time without a zone": (
            replaced(2, b"2023-11-14T22:13:21.000000Z", b"1970-01-01T00:00:00.000000"),
            ":2: expected a time as createdAt, got '1970-01-01T00:00:00.000000'",
        ),
        "payload is no object": (
            replaced(2, b'{"name":"Acme"}', b'"Acme"'),
            ":2: expected an object as payload, got 'Acme'",
        ),
        "payload of another form": (
            replaced(2, b'{"name":"Acme"}', b'{"name":7}'),
            ":2: event 1 (org.added): name is not a string",
        ),
        "unknown aggregate": (
            replaced(2, b'"aggregateType":"org"', b'"aggregateType":"robot"'),
            ":2: expected one of action, machine_key, member, org, sealed, token, user, "
            "got 'robot'",
        ),
        "unknown event": (
            replaced(2, b"org.added", b"org.burnt"),
            ":2: expected an event of org (org.added, org.changed, org.flow.cleared, "
            "org.flow.trigger_actions.cascade.removed, org.flow.trigger_actions.set, org.removed), "
            "got 'org.burnt'",
        ),
        "event twice": (
            lambda lines: lines.insert(4, lines[3]),
            ":5: expected a position after 3, got 3",
        ),
        "event is missing": (
            lambda lines: lines.pop(3),
            ":4: expected position 3, got 4",
        ),
        "last event is missing": (
            lambda lines: lines.pop(-2),
            f":{TRAILER - 1}: expected {EVENTS} events, as the trailer says, got {EVENTS - 1}",
        ),
        "more after the trailer": (
            lambda lines: lines.append(b"\n"),
            f":{TRAILER + 1}: expected the end of the file after the trailer, got more",
        ),
        "trailer of another form": (
            replaced(TRAILER, b'"sha256":"', b'"sha256":7,"":"'),
            f":{TRAILER}: expected a text as sha256, got 7",
        ),
    },
)  # fmt: skip
def test_a_file_that_was_changed_is_refused_by_line(file: Path, edit: Edit, refusal: str) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    edit(lines)
    file.write_bytes(b"".join(lines))
    assert refusal_of(file) == refusal


def test_a_change_that_no_rule_sees_is_found_by_the_checksum(file: Path) -> None:
    changed = file.read_bytes().replace(b"Acme", b"Acne", 1)
    file.write_bytes(changed)
    assert refusal_of(file).startswith(f":{TRAILER}: expected events with SHA-256 ")


def edited(file: Path, change: Callable[[list[Document]], object]) -> None:
    """Changes header and events, and makes the trailer fit."""
    documents = export_files.read(file)
    change(documents)
    export_files.write(file, documents)


def test_an_event_of_an_organisation_that_the_header_does_not_name_is_refused(
    folder: Path, file: Path
) -> None:
    export_files.exported(folder, "q", file=file)
    edited(file, lambda documents: documents[1].update(orgId="o"))
    assert refusal_of(file) == ":2: expected an organisation of the header (q), got 'o'"


def test_an_instance_without_its_last_events_is_refused(file: Path) -> None:
    edited(file, lambda documents: documents.pop())
    assert refusal_of(file) == f":{TRAILER - 1}: expected events up to {EVENTS}, got {EVENTS - 1}"


def test_a_line_without_an_end_is_read_in_bounded_memory(file: Path) -> None:
    with file.open("ab") as opened:
        opened.truncate(0)
        opened.truncate(1 << 30)  # a gigabyte of NUL characters, which takes no disk
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refusal_of(file) == f":1: expected at most {LINE_MAX_BYTES} bytes, got more"
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert used * 1024 < 4 * LINE_MAX_BYTES


def test_only_a_regular_file_is_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert refusal_of(pipe) == ": expected a regular file, as it is read twice, got another"
    assert refusal_of(tmp_path) == ": expected a regular file, as it is read twice, got another"
    assert refusal_of(tmp_path / "none") == ": No such file or directory"
