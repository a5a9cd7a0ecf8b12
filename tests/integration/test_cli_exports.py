"""export and import, as docs/moving.md has them: beside a service that runs, and killed midway."""

import json
import re
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.support import every_event, export_files
from tests.support.commandline import Outcome, Server, run
from tests.support.every_event import rows
from tests.support.full_disk import full_disk
from tests.support.tables import cases

pytestmark = pytest.mark.timeout(240)  # a test is some processes, one after another
PAGE = Path(__file__).parents[2] / "docs/moving.md"
COMMAND = re.compile(r"^ *\.venv/bin/python -m server ((?:export|import)\b.*)$", re.MULTILINE)
MANY = 20_000
"""Events that take a second or so."""


def commands() -> list[list[str]]:
    steps = PAGE.read_text("utf-8").partition("\n## Between")[0]
    return [found.split() for found in COMMAND.findall(steps)]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_commands_of_the_page_move_an_instance_with_its_accounts(tmp_path: Path) -> None:
    export, import_ = commands()
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    with Server(folder=old) as server:
        made = server.call("CreateAction", {"name": "kept", "script": "s"}, "json")
        exported = run(*export, folder=old)
        assert exported.out == "exported 5 events of 1 organisation to all.jsonl\n"
        assert exported.err == "exported 5 of 5 events\n"
        server.stop()
    assert stat.S_IMODE((old / "all.jsonl").stat().st_mode) == 0o600
    (old / "all.jsonl").rename(new / "all.jsonl")
    imported = run(*import_, folder=new)
    assert imported.out == "imported 5 events of 1 organisation from all.jsonl\n"
    assert re.fullmatch(r"(read \d+ of \d+ bytes\n)+checked 5 of 5 events\n", imported.err)
    assert run("check", folder=new).out == "data has no faults\n"
    (old / "data/owner.token").rename(new / "data/owner.token")
    with Server(folder=new) as server:
        listed = server.call("ListActions", {}, "json")
    (action,) = json.loads(listed.out)["result"]
    assert (action["id"], action["name"]) == (json.loads(made.out)["id"], "kept")
    again = run(*import_, folder=new)
    assert (
        again.out
        == "all of all.jsonl is here already (5 events of 1 organisation): nothing to do\n"
    )


def test_an_export_is_of_one_moment_while_actions_are_made(tmp_path: Path) -> None:
    stopped = threading.Event()
    with Server(folder=tmp_path) as server:

        def write() -> None:
            number = 0
            while not stopped.is_set():
                number += 1
                server.call("CreateAction", {"name": f"n{number}", "script": "s"}, "json")

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for number in range(4):
                assert run("export", f"{number}.jsonl", folder=tmp_path).status == 0
        finally:
            stopped.set()
            writer.join()
        server.stop()
    for number in range(4):
        target = ("--data-dir", f"new{number}")
        assert run("import", f"{number}.jsonl", *target, folder=tmp_path).status == 0
        assert run("check", *target, folder=tmp_path).status == 0


async def test_standard_output_gets_an_export_and_an_organisation_moves_alone(
    tmp_path: Path,
) -> None:
    await every_event.fill(tmp_path / "data")
    whole = run("export", folder=tmp_path)
    assert whole.status == 0
    assert len(whole.out.splitlines()) == 56 + 2
    (tmp_path / "q.jsonl").write_text(run("export", "--org", "q", "-", folder=tmp_path).out)
    imported = run("import", "q.jsonl", "--data-dir", "new", "--json", folder=tmp_path)
    assert json.loads(imported.out) == {
        "result": "imported",
        "events": 1,
        "organisations": 1,
        "sealedValuesToSet": 0,
    }
    checked = run("import", "q.jsonl", "--data-dir", "new", "--json", folder=tmp_path)
    assert json.loads(checked.out)["result"] == "already here"
    assert len(rows(tmp_path / "new")["orgs"]) == 1


async def test_an_organisation_that_never_was_is_not_exported(tmp_path: Path) -> None:
    await every_event.fill(tmp_path / "data")
    refused = run("export", "--org", "o", "--org", "zz", "some.jsonl", folder=tmp_path)
    assert (refused.status, refused.err.splitlines()[-1]) == (
        1,
        "error: there is no organisation 'zz', and never was",
    )
    assert names(tmp_path) == ["data"]


async def test_a_file_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    await every_event.fill(tmp_path / "data")
    (tmp_path / "all.jsonl").write_text("mine")
    assert run("export", "all.jsonl", folder=tmp_path) == Outcome(
        1, "", "error: all.jsonl exists; name another file, or remove it\n"
    )
    assert (tmp_path / "all.jsonl").read_text() == "mine"


async def test_a_dry_run_checks_everything_and_writes_nothing(tmp_path: Path) -> None:
    await every_event.fill(tmp_path / "data")
    run("export", "all.jsonl", folder=tmp_path)
    dry = ("import", "all.jsonl", "--dry-run", "--data-dir", "new")
    done = run(*dry, folder=tmp_path)
    assert done.out == (
        "all.jsonl: 56 events of 3 organisations can be imported\n"
        "1 sealed value came without content; set them anew\n"
    )
    assert names(tmp_path / "new") == ["lock"]
    export_files.write(tmp_path / "all.jsonl", export_files.read(tmp_path / "all.jsonl")[:-1])
    assert run(*dry, folder=tmp_path).status == 1


def test_import_is_refused_while_a_server_has_the_folder(tmp_path: Path) -> None:
    with Server(folder=tmp_path) as server:
        run("export", "all.jsonl", folder=tmp_path)
        refused = run("import", "all.jsonl", folder=tmp_path)
        assert (refused.status, refused.err.splitlines()[-1]) == (
            1,
            f"error: data folder data is in use by process {server.pid}; "
            "stop it first, as import needs the folder for itself",
        )
        server.stop()


@cases(
    "text, line",
    {
        "no file": (None, "error: bad.jsonl: No such file or directory"),
        "empty": (
            b"",
            "error: bad.jsonl:1: expected more lines, got the end: the file is cut off; "
            "copy it again",
        ),
        "garbage": (
            b"\x00\xff\n",
            r"error: bad.jsonl:1: expected the header of an export, got b'\x00\xff\n'",
        ),
    },
)
def test_a_bad_file_is_refused_before_anything_is_made(
    tmp_path: Path, text: bytes | None, line: str
) -> None:
    if text is not None:
        (tmp_path / "bad.jsonl").write_bytes(text)
    refused = run("import", "bad.jsonl", folder=tmp_path)
    assert (refused.status, refused.err.splitlines()[-1]) == (1, line)
    assert not (tmp_path / "data").exists()


def killed_midway(folder: Path) -> int:
    """Kills an import that has written to the log of the database; returns its exit status."""
    command = [sys.executable, "-m", "server", "import", "many.jsonl"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, encoding="utf-8") as killed:
        assert killed.stderr is not None
        while not killed.stderr.readline().startswith("checked "):
            assert killed.poll() is None
        log = folder / "data/events.sqlite-wal"
        while not (log.exists() and log.stat().st_size > 1 << 20):
            assert killed.poll() is None
        killed.kill()
    return killed.returncode


async def test_an_import_that_was_killed_leaves_nothing_and_can_be_run_again(
    tmp_path: Path,
) -> None:
    await every_event.fill(tmp_path / "data")
    export_files.write_many(tmp_path / "many.jsonl", events=MANY)
    before = rows(tmp_path / "data")
    assert killed_midway(tmp_path) == -signal.SIGKILL
    assert rows(tmp_path / "data") == before
    done = run("import", "many.jsonl", folder=tmp_path)
    assert done.status == 0, done.err
    assert len(rows(tmp_path / "data")["events"]) == len(before["events"]) + MANY
    assert run("check", folder=tmp_path).out == "data has no faults\n"


def test_an_import_into_a_new_folder_that_was_killed_can_be_run_again(tmp_path: Path) -> None:
    export_files.write_many(tmp_path / "many.jsonl", events=MANY)
    assert killed_midway(tmp_path) == -signal.SIGKILL
    assert rows(tmp_path / "data")["events"] == []
    assert run("import", "many.jsonl", folder=tmp_path).status == 0
    assert run("check", folder=tmp_path).out == "data has no faults\n"


def test_a_full_disk_ends_an_import_by_one_line(tmp_path: Path) -> None:
    export_files.write_many(tmp_path / "many.jsonl", events=MANY)
    with full_disk(limit_bytes=2 << 20):
        refused = run("import", "many.jsonl", folder=tmp_path)
    assert refused.status == 1
    line = refused.err.splitlines()[-1]
    assert re.fullmatch(
        r"error: many\.jsonl: lines \d+ to \d+ cannot be written: event store data/events\.sqlite: "
        r"the disk (is full|cannot be read or written) \(\w+\)",
        line,
    ), line
    assert names(tmp_path / "data") == ["lock"]
    assert run("import", "many.jsonl", folder=tmp_path).status == 0


async def test_a_full_disk_ends_an_export_by_one_line(tmp_path: Path) -> None:
    await every_event.fill(tmp_path / "data")
    with full_disk(limit_bytes=4 << 10):
        refused = run("export", "all.jsonl", folder=tmp_path)
    assert (refused.status, refused.err.splitlines()[-1]) == (
        1,
        "error: all.jsonl: File too large",
    )
    assert names(tmp_path) == ["data"]


def test_a_folder_that_cannot_be_written_is_refused_by_one_line(tmp_path: Path) -> None:
    export_files.write_many(tmp_path / "many.jsonl", events=MANY)
    # Nobody may make a folder there, whether it is read-only or not.
    refused = run("import", "many.jsonl", "--data-dir", "/sys/kernel/data", folder=tmp_path)
    assert refused.status == 1
    line = refused.err.splitlines()[-1]
    assert re.fullmatch(
        "error: data folder /sys/kernel/data cannot be used: "
        "(Read-only file system|Operation not permitted|Permission denied)",
        line,
    ), line


def test_a_database_that_another_program_writes_is_refused_by_one_line(tmp_path: Path) -> None:
    with Server(folder=tmp_path) as server:
        server.stop()
    export_files.write_many(tmp_path / "many.jsonl", events=MANY)
    with closing(sqlite3.connect(tmp_path / "data/events.sqlite")) as other:
        other.execute("BEGIN IMMEDIATE")
        refused = run("import", "many.jsonl", folder=tmp_path)
    assert (refused.status, refused.err.splitlines()[-1]) == (
        1,
        "error: event store data/events.sqlite: locked by another program (SQLITE_BUSY)",
    )
