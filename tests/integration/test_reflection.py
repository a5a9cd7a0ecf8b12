"""A transcoder that asks the server behind it what it serves."""

import asyncio
import logging
from typing import Any

import aiohttp
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from tests.support.remote_shop import Shop, serving
from tests.support.tables import cases
from tests.support.told_services import Teller, told
from tests.support.waiting import until_async
from transcoder import Transcoder


async def is_ready(client: aiohttp.ClientSession) -> bool:
    async with client.get("/readyz") as answer:
        return answer.status == 200


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_services_are_served_once_the_server_has_told_them(version: str) -> None:
    server, port = await serving(Shop())
    await server.stop(None)
    transcoder = Transcoder.proxy(f"127.0.0.1:{port}")
    address = await transcoder.start("127.0.0.1:0")
    try:
        async with aiohttp.ClientSession(f"http://{address}") as client:
            assert not await is_ready(client)
            assert (await client.get("/v1/items/pen")).status == 404
            server, _ = await serving(Shop(), port, reflection=version)
            async with asyncio.timeout(30):
                while not await is_ready(client):
                    await asyncio.sleep(0.1)
            async with client.get("/v1/items/pen") as answer:
                assert (answer.status, await answer.json()) == (200, {"name": "pen"})
    finally:
        await transcoder.stop()
        await server.stop(None)


@cases(
    "version, services, reason",
    {
        "no reflection": (
            "",
            [],
            "the server has no reflection: give its files or a descriptor set",
        ),
        "another service": (
            "v1",
            ["shop.v1.Till"],
            "services: expected a service of the files or the descriptor set, got 'shop.v1.Till'",
        ),
    },
)
async def test_the_log_says_why_services_are_not_served(
    caplog: pytest.LogCaptureFixture, version: str, services: list[str], reason: str
) -> None:
    server, port = await serving(Shop(), reflection=version)
    transcoder = Transcoder()
    transcoder.forward(f"127.0.0.1:{port}", services=services)
    caplog.set_level(logging.WARNING, "transcoder")
    address = await transcoder.start("127.0.0.1:0")
    try:
        expected = f"cannot serve the services of 127.0.0.1:{port}: {reason}"
        await until_async(lambda: expected in [each.message for each in caplog.records])
        async with aiohttp.ClientSession(f"http://{address}") as client:
            assert not await is_ready(client)
    finally:
        await transcoder.stop()
        await server.stop(None)


async def test_an_option_that_selects_no_service_of_the_server_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server, port = await serving(Shop(), reflection="v1")
    transcoder = Transcoder.proxy(f"127.0.0.1:{port}", without_json=["shop.v1.Till.Pay"])
    address = await transcoder.start("127.0.0.1:0")
    try:
        expected = (
            "options do not fit the services of other servers: without_json: "
            "expected a registered method or binding, got 'shop.v1.Till.Pay'"
        )
        await until_async(lambda: expected in [each.message for each in caplog.records])
        async with aiohttp.ClientSession(f"http://{address}") as client:
            assert not await is_ready(client)
    finally:
        await transcoder.stop()
        await server.stop(None)


def nested_file(levels: int) -> bytes:
    """Returns a file with types that hold the next one each, and the last the first."""
    file = FileDescriptorProto(name="deep.proto", package="deep", syntax="proto3")
    for number in range(levels):
        inner = f".deep.Level{(number + 1) % levels}"
        message = file.message_type.add(name=f"Level{number}")
        held: Any = {"name": "in", "type": "TYPE_MESSAGE", "label": "LABEL_OPTIONAL"}
        message.field.add(number=1, type_name=inner, **held)
    service = file.service.add(name="Deep")
    service.method.add(name="Echo", input_type=".deep.Level0", output_type=".deep.Level0")
    return file.SerializeToString()


async def test_messages_of_100_types_that_nest_and_recur_are_served() -> None:
    teller = Teller(told({"deep.Deep": nested_file(100)}))
    await teller.start()
    transcoder = Transcoder.proxy(teller.target)
    address = await transcoder.start("127.0.0.1:0")
    body = b'{"in":' * 99 + b"{}" + b"}" * 99
    try:
        async with aiohttp.ClientSession(f"http://{address}") as client:
            async with asyncio.timeout(30):
                while not await is_ready(client):
                    await asyncio.sleep(0.02)
            headers = {"Content-Type": "application/json"}
            async with client.post("/deep.Deep/Echo", data=body, headers=headers) as answer:
                assert (answer.status, await answer.read()) == (200, body)
    finally:
        await transcoder.stop()
        await teller.stop()
