"""Look-ups of names, against a name server of the tests' own."""

import asyncio
import gc
import socket
import threading
from pathlib import Path

import pytest
import uvloop

from server import resolver as module
from server.resolver import Resolver
from tests.support.name_servers import name_server
from tests.support.processes import open_descriptors

KNOWN = {
    "both.test": ("192.0.2.1", "2001:db8::1"),
    "four.test": ("192.0.2.2", "192.0.2.3"),
    "none.test": (),
}


async def addresses(resolver: Resolver, host: str) -> set[str]:
    return {found["host"] for found in await resolver.resolve(host, 80)}


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        pytest.param("both.test", {"192.0.2.1", "2001:db8::1"}, id="A and AAAA"),
        pytest.param("four.test", {"192.0.2.2", "192.0.2.3"}, id="two of A"),
        pytest.param("FOUR.test", {"192.0.2.2", "192.0.2.3"}, id="capitals"),
        pytest.param("four.test.", {"192.0.2.2", "192.0.2.3"}, id="dot at its end"),
        pytest.param("192.0.2.9", {"192.0.2.9"}, id="an address"),
        pytest.param("2001:db8::9", {"2001:db8::9"}, id="an address of IPv6"),
    ],
)
async def test_a_name_has_the_addresses_that_the_name_server_says(
    host: str, expected: set[str]
) -> None:
    async with name_server(KNOWN) as server:
        assert await addresses(Resolver(servers=(server.address,)), host) == expected


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_an_answer_that_was_cut_is_asked_for_by_tcp(runner: object) -> None:
    async def look_up() -> set[str]:
        async with name_server(KNOWN, is_truncated=True) as server:
            return await addresses(Resolver(servers=(server.address,)), "both.test")

    run = uvloop.run if runner is uvloop.run else asyncio.run
    assert run(look_up()) == {"192.0.2.1", "2001:db8::1"}


async def test_localhost_is_loopback_without_a_name_server() -> None:
    async with name_server({}) as server:
        assert "127.0.0.1" in await addresses(Resolver(servers=(server.address,)), "localhost")
        assert server.asked == []


def name_in_hosts_file() -> tuple[str, str]:
    lines = Path("/etc/hosts").read_text(encoding="utf-8").splitlines()
    entries = [line.partition("#")[0].split() for line in lines]
    return next((entry[0], entry[-1]) for entry in entries if len(entry) > 1)


async def test_names_of_the_hosts_file_need_no_name_server() -> None:
    address, name = name_in_hosts_file()
    async with name_server({}) as server:
        assert address in await addresses(Resolver(servers=(server.address,)), name)
        assert server.asked == []


@pytest.mark.parametrize(
    ("host", "number"),
    [
        pytest.param("nobody.test", socket.EAI_NONAME, id="no such name"),
        pytest.param("none.test", socket.EAI_NONAME, id="no address"),
        pytest.param("a" * 64 + ".test", socket.EAI_FAIL, id="no name"),
        pytest.param("a..test", socket.EAI_FAIL, id="empty label"),
    ],
)
async def test_a_name_without_an_address_is_the_error_of_getaddrinfo(
    host: str, number: int
) -> None:
    async with name_server(KNOWN) as server:
        with pytest.raises(socket.gaierror) as caught:
            await Resolver(servers=(server.address,)).resolve(host, 80)
    assert caught.value.errno == number


async def test_a_name_server_that_is_silent_is_left_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LOOKUP_MAX_S", 0.1)
    async with name_server({}) as server:
        before = open_descriptors()
        with pytest.raises(socket.gaierror) as caught:
            await asyncio.wait_for(Resolver(servers=(server.address,)).resolve("a.silent.test"), 2)
        assert open_descriptors() == before
    assert caught.value.errno == socket.EAI_AGAIN


async def test_look_ups_end_with_their_callers_and_need_no_threads() -> None:
    async with name_server({"good.test": ("192.0.2.1",)}) as server:
        resolver = Resolver(servers=(server.address,))
        assert await addresses(resolver, "good.test") == {"192.0.2.1"}
        before = open_descriptors(), threading.active_count()
        waiting = [
            asyncio.create_task(resolver.resolve(f"a{number}.silent.test")) for number in range(50)
        ]
        async with asyncio.timeout(5):
            while len(set(server.asked)) < 51:
                await asyncio.sleep(0.001)
            assert threading.active_count() == before[1]
            assert await addresses(resolver, "good.test") == {"192.0.2.1"}
            for task in waiting:
                task.cancel()
            ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(end) for end in ended} == {asyncio.CancelledError}
        assert (open_descriptors(), threading.active_count()) == before


@pytest.mark.parametrize("host", ["both.test", "nobody.test", "a..test"])
async def test_a_look_up_leaves_nothing_to_the_collector(host: str) -> None:
    async def look_up() -> None:
        try:
            await resolver.resolve(host)
        except OSError:
            assert host != "both.test"

    async with name_server(KNOWN) as server:
        resolver = Resolver(servers=(server.address,))
        await look_up()
        gc.collect()
        gc.disable()
        try:
            await look_up()
            assert gc.collect() == 0
        finally:
            gc.enable()
