"""Accounts, while another process holds the data folder."""

import asyncio
import contextlib
import json
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog
from google.protobuf.message import Message

from actions.v1 import admin_pb2 as pb
from server import locale
from server.admin_socket import AdminSocket
from server.cli import admin_client, store
from server.cli.admin_client import AdminError, ask
from server.cli.failures import Failed
from server.commands.queue import CommandQueue
from server.config import Config
from server.ids import IdGenerator
from server.rpc.errors import CallFailures
from server.sealing.key_ring import KeyRing
from server.services.accounts import AccountsService
from server.services.targets import TargetAdministration
from server.store.errors import StorageError
from server.store.files import UnsafeFile
from server.store.folder import DataFolder
from server.store.opening import open_store
from server.threads import ThreadPool
from tests.support import placed
from tests.support.action_commands import create_action
from tests.support.commandline import Outcome, run
from tests.support.tables import cases

pytestmark = pytest.mark.timeout(240)  # a test is up to a dozen processes, one after another


@asynccontextmanager
async def holding(folder: Path) -> AsyncIterator[tuple[AdminSocket, CommandQueue]]:
    """A data folder, held by this process as a server holds it, with its queue of commands."""
    admin_socket = AdminSocket(folder)
    opened = await open_store(folder, admin=admin_socket.path)
    queue = CommandQueue(opened)
    await queue.start()
    ids = IdGenerator(await opened.claim_machine_id())
    threads = ThreadPool("accounts", threads_max=1)
    targets = TargetAdministration(
        opened, queue, ids, KeyRing([], threads=threads, makes=folder), threads=threads
    )
    service = AccountsService(opened, queue, ids, threads=threads, targets=targets)
    try:
        await admin_socket.start(service, failures=CallFailures(locale.load_all()))
        yield admin_socket, queue
    finally:
        await admin_socket.close()
        await queue.close()
        await opened.close()
        threads.close()


@asynccontextmanager
async def held(folder: Path) -> AsyncIterator[AdminSocket]:
    async with holding(folder) as (admin_socket, _):
        yield admin_socket


async def orgs(admin_socket: AdminSocket) -> list[str]:
    """The names of all organisations, asked over the socket."""
    return [org.name for org in (await asked(admin_socket, pb.ListAllOrgsRequest())).orgs]


async def asked(admin_socket: AdminSocket, request: Message) -> Any:
    return await ask(admin_socket.path, request)


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


async def test_the_socket_of_a_dead_process_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    stale = folder / "admin.sock"
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(stale))
    lock = {"pid": 1, "admin": str(stale)}
    (folder / "lock").write_text(json.dumps(lock))
    assert run("org", "create", "Acme", folder=tmp_path).status == 0
    async with held(folder) as admin_socket:
        assert await orgs(admin_socket) == ["Acme"]


@pytest.mark.parametrize("place", placed.WAYS[:-1])
async def test_a_file_that_is_not_our_socket_is_not_used(place: placed.Way, tmp_path: Path) -> None:
    expected = place(tmp_path / "admin.sock").replace("a regular file", "a socket", 1)
    if place is placed.hard_link:
        expected = "expected a socket, got a regular file; "
    with pytest.raises(UnsafeFile) as refused:
        async with held(tmp_path):
            pass
    assert str(refused.value).startswith(f"{tmp_path}/admin.sock: {expected}")
    with pytest.raises(UnsafeFile):
        await ask(f"{tmp_path}/admin.sock", pb.ListAllOrgsRequest())
    assert placed.is_untouched(tmp_path / "admin.sock")


async def test_a_refused_second_holder_leaves_the_first_ones_socket(tmp_path: Path) -> None:
    async with held(tmp_path / "data") as admin_socket:
        second = AdminSocket(tmp_path / "data")
        await second.close()
        assert await orgs(admin_socket) == []


@cases(
    "octets",
    {
        "nothing": b"",
        "an empty line": b"\n",
        "no HTTP/2": b"{\n",
        "HTTP/1.1": b"GET / HTTP/1.1\r\n\r\n",
        "a command of an older version": b'{"type":"org.create","name":"Acme"}\n',
        "no frames": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100,
        "long": b'"' + b"a" * 100_000 + b'"\n',
    },
)
async def test_bytes_that_are_no_call_end_the_connection(octets: bytes, tmp_path: Path) -> None:
    async with held(tmp_path / "data") as admin_socket, asyncio.timeout(20):
        reader, writer = await asyncio.open_unix_connection(admin_socket.path)
        with contextlib.suppress(ConnectionError):
            writer.write(octets)
            writer.write_eof()
            while await reader.read(1024):
                pass
        writer.close()
        assert await orgs(admin_socket) == []


async def test_an_invalid_message_is_refused(tmp_path: Path) -> None:
    async with held(tmp_path / "data") as admin_socket:
        for name, sent, code in (
            ("CreateOrg", b"\xff", grpc.StatusCode.INTERNAL),
            ("CreateOrg", b"\x0a\x01\xff", grpc.StatusCode.INTERNAL),  # no UTF-8
            ("DropOrg", b"", grpc.StatusCode.UNIMPLEMENTED),
        ):
            async with grpc.aio.insecure_channel(f"unix:{admin_socket.path}") as channel:
                call: Any = channel.unary_unary(f"/actions.v1.AdminService/{name}")
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await call(sent, timeout=10)
            assert refused.value.code() is code
        assert await orgs(admin_socket) == []


async def test_a_silent_client_delays_nobody(tmp_path: Path) -> None:
    async with asyncio.timeout(5):  # less than the 10 s of a call
        async with held(tmp_path / "data") as admin_socket:
            reader, writer = await asyncio.open_unix_connection(admin_socket.path)
            writer.write(b"PRI * HT")
            assert await orgs(admin_socket) == []
        while await reader.read(1024):
            pass
        writer.close()


async def test_a_call_without_its_message_holds_no_stop_up(tmp_path: Path) -> None:
    async with asyncio.timeout(8):  # less than the 10 s of a drain
        async with held(tmp_path / "data") as admin_socket:
            channel = grpc.aio.insecure_channel(f"unix:{admin_socket.path}")
            asked: Any = channel.stream_unary("/actions.v1.AdminService/ListAllOrgs")
            call = asked()
            await call.wait_for_connection()
            assert await orgs(admin_socket) == []
        with pytest.raises(grpc.aio.AioRpcError):
            await call
        await channel.close()


async def test_a_call_under_way_ends_before_the_socket_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, going_on = asyncio.Event(), asyncio.Event()

    async def slow(*_: object) -> pb.ListAllOrgsResponse:
        begun.set()
        await going_on.wait()
        return pb.ListAllOrgsResponse(orgs=[pb.Org(name="Acme")])

    monkeypatch.setattr(AccountsService, "ListAllOrgs", slow)
    async with held(tmp_path / "data") as admin_socket:
        asking = asyncio.create_task(orgs(admin_socket))
        await begun.wait()
        closing = asyncio.create_task(admin_socket.close())
        await asyncio.sleep(0)
        # Commands that come now wait for who has the folder next.
        with pytest.raises(FileNotFoundError):
            await orgs(admin_socket)
        assert not closing.done()
        going_on.set()
        assert await asking == ["Acme"]
        await closing


async def test_a_fault_is_in_the_log_and_not_in_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(AccountsService, "CreateOrg", broken)
    with structlog.testing.capture_logs() as lines:
        async with held(tmp_path / "data") as admin_socket:
            with pytest.raises(AdminError, match=r"^internal error: the server's log says more$"):
                await ask(admin_socket.path, pb.CreateOrgRequest(name="Acme"))
    assert "secret" in str(lines)


async def test_a_fault_of_the_storage_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise StorageError("no room on the disk {0}")

    monkeypatch.setattr(AccountsService, "CreateOrg", broken)
    async with held(tmp_path / "data") as admin_socket:
        outcome = await asyncio.to_thread(run, "org", "create", "Acme", folder=tmp_path)
        assert await orgs(admin_socket) == []
    assert outcome == Outcome(1, "", "error: no room on the disk {0}\n")


async def test_a_secret_is_in_no_log(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as lines:
        async with held(tmp_path / "data") as admin_socket:
            await asked(admin_socket, pb.CreateOrgRequest(name="Acme"))
            made = await asked(admin_socket, pb.CreateUserRequest(name="Ada"))
            request = pb.CreateTokenRequest(user_id=made.user.id)
            secret: str = (await asked(admin_socket, request)).secret
    assert [line["method"].rpartition("/")[2] for line in lines if line["event"] == "call"] == [
        "CreateOrg",
        "CreateUser",
        "CreateToken",
    ]
    assert secret not in str(lines)


@pytest.mark.parametrize("name", ["a b", "a%20b", "ü", "?#", "~"])
async def test_a_folder_may_have_any_name(name: str, tmp_path: Path) -> None:
    async with held(tmp_path / name) as admin_socket:
        assert admin_socket.path == str(tmp_path / name / "admin.sock")
        await asked(admin_socket, pb.CreateOrgRequest(name="Acme"))
        assert await orgs(admin_socket) == ["Acme"]


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


@cases(
    "answer",
    {
        "nothing": None,
        "the end": b"",
        "a line of an older version": b'{"error":"of an older version"}\n',
    },
)
async def test_a_holder_without_an_answer_is_one_line_that_names_it(
    answer: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writers = []

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        if answer is not None:
            writer.write(answer)
            writer.close()

    monkeypatch.setattr(admin_client, "TIMEOUT_S", 0.5)
    path = tmp_path / "admin.sock"
    (tmp_path / "events.sqlite").touch()
    holder = DataFolder.claim(tmp_path, admin=str(path))
    server = await asyncio.start_unix_server(answered, path)
    try:
        with pytest.raises(Failed) as failed:
            await asyncio.to_thread(store.send, Config(data_dir=tmp_path), pb.ListAllOrgsRequest())
    finally:
        for writer in writers:
            writer.close()
        server.close()
        holder.release()
    assert str(failed.value) == f"process {os.getpid()}, which holds {tmp_path}, does not answer"


async def with_actions(admin_socket: AdminSocket, queue: CommandQueue, many: int) -> str:
    """An organisation called Acme that has actions."""
    org_id: str = (await asked(admin_socket, pb.CreateOrgRequest(name="Acme"))).org.id
    await asyncio.gather(
        *(queue.execute(create_action(org_id, f"a{number}", str(number))) for number in range(many))
    )
    return org_id


async def test_a_large_organisation_is_removed_while_others_write(tmp_path: Path) -> None:
    async with holding(tmp_path / "data") as (admin_socket, queue):
        org_id = await with_actions(admin_socket, queue, 5000)
        other_id: str = (await asked(admin_socket, pb.CreateOrgRequest(name="Other"))).org.id
        removal = asyncio.create_task(
            asyncio.to_thread(run, "org", "remove", org_id, "--yes", folder=tmp_path)
        )
        written = 0
        while not removal.done():
            action = create_action(other_id, f"o{written}", str(written))
            await queue.execute(action)
            written += 1
        removed = await removal
        assert removed.out == f"removed organisation {org_id}\n"
        assert removed.err == "deleted 2048 of 5000\ndeleted 4096 of 5000\n"
        assert written > 100
        assert await orgs(admin_socket) == ["Other"]
        left = await asked(admin_socket, pb.GetOrgContentsRequest(org_id=other_id))
        assert left.contents.actions == written


async def test_removal_asks_and_shows_what_will_go(tmp_path: Path) -> None:
    async with holding(tmp_path / "data") as (admin_socket, queue):
        org_id = await with_actions(admin_socket, queue, 3)

        async def remove(*flags: str, answer: str = "") -> Outcome:
            arguments = ("org", "remove", org_id, *flags)
            return await asyncio.to_thread(run, *arguments, folder=tmp_path, stdin=answer)

        shown = (
            f"id       {org_id}\nname     Acme\nactions  3\nusers    0\nmembers  0\ntokens   0\n"
            "keys     0\nRemove all of this for good? [y/N]: "
        )
        for answer, line in (
            ("n\n", "error: nothing was removed\n"),
            ("", "\nerror: nothing was removed; --yes removes without asking\n"),
        ):
            assert await remove(answer=answer) == Outcome(1, "", shown + line)
        assert await orgs(admin_socket) == ["Acme"]
        removed = await remove("--json", answer="y\n")
        assert (removed.status, json.loads(removed.out), removed.err) == (0, {"id": org_id}, shown)
        again = await remove("--yes")
        assert again == Outcome(1, "", f"error: Organisation {org_id!r} not found\n")
