"""Accounts, while another process holds the data folder."""

import asyncio
import json
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from server import locale
from server.admin import Admin
from server.admin_socket import AdminSocket, ask
from server.commands.actions import CreateAction
from server.commands.queue import CommandQueue
from server.ids import IdGenerator
from server.operations import AdminError, CreateOrg, ListOrgs, OrgContents
from server.store.files import UnsafeFile
from server.store.opening import open_store
from server.store.sqlite.folder import DataFolder
from tests import placed
from tests.commandline import Outcome, run

pytestmark = pytest.mark.timeout(240)  # a test is up to a dozen processes, one after another


@asynccontextmanager
async def holding(folder: Path) -> AsyncIterator[tuple[AdminSocket, CommandQueue]]:
    """A data folder, held by this process as a server holds it, with its queue of commands."""
    admin_socket = AdminSocket(folder)
    store = await open_store(folder, admin=admin_socket.path)
    queue = CommandQueue(store)
    await queue.start()
    ids = IdGenerator(await store.claim_machine_id())
    try:
        await admin_socket.start(Admin(store, queue, ids, locale.load("en")))
        yield admin_socket, queue
    finally:
        await admin_socket.close()
        await queue.close()
        await store.close()


@asynccontextmanager
async def held(folder: Path) -> AsyncIterator[AdminSocket]:
    async with holding(folder) as (admin_socket, _):
        yield admin_socket


async def test_commands_go_to_the_process_that_holds_the_folder(tmp_path: Path) -> None:
    async with held(tmp_path / "data"):
        made = await asyncio.to_thread(run, "org", "create", "Acme", "--json", folder=tmp_path)
        assert made.err == ""
        listed = await asyncio.to_thread(run, "org", "list", "--json", folder=tmp_path)
        assert json.loads(listed.out) == [json.loads(made.out)]
        again = await asyncio.to_thread(run, "org", "create", "acme", folder=tmp_path)
        assert again == Outcome(
            1, "", "error: An organisation with the name 'acme' exists already\n"
        )
    assert run("org", "list", "--json", folder=tmp_path).out == listed.out


async def test_the_socket_is_for_its_owner_alone(tmp_path: Path) -> None:
    async with held(tmp_path / "data") as admin_socket:
        path = tmp_path / "data" / "admin.sock"
        assert admin_socket.path == str(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_a_long_path_has_its_socket_in_a_private_folder(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 100)
    async with held(folder) as admin_socket:
        private = Path(admin_socket.path).parent
        assert len(os.fsencode(admin_socket.path)) <= 100
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        made = await asyncio.to_thread(
            run, "org", "create", "Acme", "--data-dir", str(folder), folder=tmp_path
        )
        assert made.status == 0
    assert not private.exists()


async def test_what_a_process_that_died_left_behind_is_in_nobodys_way(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    stale = folder / "admin.sock"
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(stale))
    lock = {"pid": 1, "admin": str(stale)}
    (folder / "lock").write_text(json.dumps(lock))
    assert run("org", "create", "Acme", folder=tmp_path).status == 0
    async with held(folder) as admin_socket:
        (org,) = await ask(admin_socket.path, ListOrgs())
        assert org["name"] == "Acme"


@pytest.mark.parametrize("place", placed.WAYS[:-1])
async def test_what_is_no_socket_of_ours_is_neither_listened_at_nor_asked(
    place: placed.Way, tmp_path: Path
) -> None:
    expected = place(tmp_path / "admin.sock").replace("a regular file", "a socket", 1)
    if place is placed.hard_link:
        expected = "expected a socket, got a regular file; "
    with pytest.raises(UnsafeFile) as refused:
        async with held(tmp_path):
            pass
    assert str(refused.value).startswith(f"{tmp_path}/admin.sock: {expected}")
    with pytest.raises(UnsafeFile):
        await ask(f"{tmp_path}/admin.sock", ListOrgs())
    assert placed.is_untouched(tmp_path / "admin.sock")


async def test_a_refused_second_holder_leaves_the_first_ones_socket(tmp_path: Path) -> None:
    async with held(tmp_path / "data") as admin_socket:
        second = AdminSocket(tmp_path / "data")
        await second.close()
        assert await ask(admin_socket.path, ListOrgs()) == []


@pytest.mark.parametrize(
    "request_line",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\n", id="an empty line"),
        pytest.param(b"{\n", id="no JSON"),
        pytest.param(b'{"type":"org.drop"}\n', id="unknown operation"),
        pytest.param(b'{"type":"org.create","name":1}\n', id="wrong type"),
        pytest.param(b'{"type":"org.list"\xff}\n', id="no UTF-8"),
        pytest.param(b"[" * 65_000 + b"\n", id="nested too deep"),
        pytest.param(b'"' + b"a" * 100_000 + b'"\n', id="too long"),
    ],
)
async def test_what_is_no_operation_is_answered_in_a_line(
    request_line: bytes, tmp_path: Path
) -> None:
    async with held(tmp_path / "data") as admin_socket:
        reader, writer = await asyncio.open_unix_connection(admin_socket.path)
        writer.write(request_line)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        assert answer == (
            b'{"error":"the server expected an operation that it knows, in a line of 65536 bytes: '
            b"is it of the command's version?\"}\n"
        )
        assert await ask(admin_socket.path, ListOrgs()) == []


async def test_who_connects_and_says_nothing_holds_nobody_up(tmp_path: Path) -> None:
    async with asyncio.timeout(5):  # less than the 10 s of an operation
        async with held(tmp_path / "data") as admin_socket:
            reader, writer = await asyncio.open_unix_connection(admin_socket.path)
            writer.write(b'{"type":')
            assert await ask(admin_socket.path, ListOrgs()) == []
        assert await reader.read() == b""
        writer.close()


async def test_a_fault_is_in_the_log_and_not_in_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(Admin, "perform", broken)
    async with held(tmp_path / "data") as admin_socket:
        with pytest.raises(AdminError, match=r"^internal error: the server's log says more$"):
            await ask(admin_socket.path, CreateOrg("Acme"))
    assert "secret" in caplog.text


async def test_two_commands_at_once_wait_for_each_other(tmp_path: Path) -> None:
    names = ("One", "Two", "Three")
    outcomes = await asyncio.gather(
        *(asyncio.to_thread(run, "org", "create", name, folder=tmp_path) for name in names)
    )
    assert [outcome.err for outcome in outcomes] == ["", "", ""]
    assert len(json.loads(run("org", "list", "--json", folder=tmp_path).out)) == 3


def test_a_folder_that_stays_in_use_is_one_line_that_names_the_process(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "events.sqlite").touch()
    holder = DataFolder.claim(folder)
    try:
        outcome = run("org", "list", folder=tmp_path)
    finally:
        holder.release()
    line = f"error: data folder data is in use by process {os.getpid()}\n"
    assert outcome == Outcome(1, "", line)


async def with_actions(admin_socket: AdminSocket, queue: CommandQueue, many: int) -> str:
    """An organisation called Acme that has actions."""
    (org,) = await ask(admin_socket.path, CreateOrg("Acme"))
    org_id = str(org["id"])
    await asyncio.gather(
        *(
            queue.execute(CreateAction(org_id, f"a{number}", str(number), "", 0, False, ""))
            for number in range(many)
        )
    )
    return org_id


async def test_a_large_organisation_is_removed_while_others_write(tmp_path: Path) -> None:
    async with holding(tmp_path / "data") as (admin_socket, queue):
        org_id = await with_actions(admin_socket, queue, 5000)
        (other,) = await ask(admin_socket.path, CreateOrg("Other"))
        removal = asyncio.create_task(
            asyncio.to_thread(run, "org", "remove", org_id, "--yes", folder=tmp_path)
        )
        written = 0
        while not removal.done():
            action = CreateAction(str(other["id"]), f"o{written}", str(written), "", 0, False, "")
            await queue.execute(action)
            written += 1
        removed = await removal
        assert removed.out == f"removed organisation {org_id}\n"
        assert removed.err == "cleared away 2048 of 5000\ncleared away 4096 of 5000\n"
        assert written > 100
        listed = await ask(admin_socket.path, ListOrgs())
        assert [org["name"] for org in listed] == ["Other"]
        (left,) = await ask(admin_socket.path, OrgContents(str(other["id"])))
        assert left["actions"] == written


async def test_removal_asks_and_shows_what_will_go(tmp_path: Path) -> None:
    async with holding(tmp_path / "data") as (admin_socket, queue):
        org_id = await with_actions(admin_socket, queue, 3)

        async def remove(*flags: str, answer: str = "") -> Outcome:
            arguments = ("org", "remove", org_id, *flags)
            return await asyncio.to_thread(run, *arguments, folder=tmp_path, stdin=answer)

        shown = (
            f"id       {org_id}\nname     Acme\nactions  3\nusers    0\nmembers  0\ntokens   0\n"
            "Remove all of this for good? [y/N]: "
        )
        for answer, line in (
            ("n\n", "error: nothing was removed\n"),
            ("", "\nerror: nothing was removed; --yes removes without asking\n"),
        ):
            assert await remove(answer=answer) == Outcome(1, "", shown + line)
        assert len(await ask(admin_socket.path, ListOrgs())) == 1
        removed = await remove("--json", answer="y\n")
        assert (removed.status, json.loads(removed.out), removed.err) == (0, {"id": org_id}, shown)
        again = await remove("--yes")
        assert again == Outcome(1, "", f"error: Organisation {org_id!r} not found\n")
