"""A transcoder in front of a gRPC server of which this process has only a descriptor set."""

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
import pytest_asyncio
from google.api import annotations_pb2

from tests.proto import echo_pb2
from tests.support.certificates import Authority
from tests.support.grpc_frames import framed, split_frame
from tests.support.raised import misconfigured
from tests.support.remote_shop import MESSAGE, UNKNOWN_FIELD, Shop, descriptor_set, serving
from tests.support.tables import cases
from tests.support.transcoder_client import client_of
from transcoder import Transcoder

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> Shop:
    return Shop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(shop: Shop) -> AsyncIterator[aiohttp.ClientSession]:
    server, port = await serving(shop)
    transcoder = Transcoder.proxy(f"127.0.0.1:{port}", descriptor_set=descriptor_set())
    try:
        async with client_of(transcoder) as session:
            yield session
    finally:
        await server.stop(None)


async def by_grpcweb(client: aiohttp.ClientSession, message: bytes) -> bytes:
    headers = {"Content-Type": "application/grpc-web+proto"}
    path = "/shop.v1.Shop/Get"
    async with client.post(path, data=framed(message), headers=headers) as answer:
        return await answer.read()


async def test_a_rule_of_the_descriptor_set_is_a_route(client: aiohttp.ClientSession) -> None:
    async with client.get("/v1/items/pen") as answer:
        assert (answer.status, await answer.json()) == (200, {"name": "pen"})


async def test_an_any_of_a_type_of_the_descriptor_set_is_written_as_json(
    client: aiohttp.ClientSession,
) -> None:
    async with client.get("/v1/items/full") as answer:
        extra = {"@type": "t.example/shop.v1.Item", "name": "pen"}
        assert await answer.json() == {"extra": extra}


async def test_fields_that_nobody_knows_pass_both_ways(client: aiohttp.ClientSession) -> None:
    _, message, _ = split_frame(await by_grpcweb(client, MESSAGE + UNKNOWN_FIELD))
    assert message == MESSAGE + UNKNOWN_FIELD


MALFORMED = b"\x0a\x7fcut"
"""No Item: its name has 127 bytes."""


async def by_connect(client: aiohttp.ClientSession, message: bytes, **headers: str) -> bytes:
    headers = {"Content-Type": "application/proto"} | headers
    async with client.post("/shop.v1.Shop/Get", data=message, headers=headers) as answer:
        return await answer.read()


async def test_bytes_of_unary_messages_pass_without_being_read(
    client: aiohttp.ClientSession,
) -> None:
    _, message, _ = split_frame(await by_grpcweb(client, MALFORMED))
    assert message == MALFORMED
    assert await by_connect(client, MALFORMED) == MALFORMED
    large = MALFORMED + bytes(50_000)
    packed = gzip.compress(large)
    assert await by_connect(client, packed, **{"Content-Encoding": "gzip"}) == large


class Naming(grpc.aio.ServerInterceptor):
    """Wraps every method, and keeps the names of the items that are asked for."""

    def __init__(self) -> None:
        self.names: list[str] = []

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        handler = await continuation(handler_call_details)

        async def named(request: Any, context: Any) -> Any:
            self.names.append(request.name)
            return await handler.unary_unary(request, context)

        return handler._replace(unary_unary=named)


async def test_an_interceptor_that_wraps_a_method_gets_its_messages() -> None:
    server, port = await serving(Shop())
    naming = Naming()
    transcoder = Transcoder.proxy(
        f"127.0.0.1:{port}", descriptor_set=descriptor_set(), interceptors=[naming]
    )
    try:
        async with client_of(transcoder) as client:
            _, message, _ = split_frame(await by_grpcweb(client, MESSAGE))
            assert message == MESSAGE
            assert await by_connect(client, MESSAGE) == MESSAGE
            refused = await by_connect(client, MALFORMED)
            assert b"expected a shop.v1.Item in protobuf's binary format" in refused
        assert naming.names == ["pen", "pen"]
    finally:
        await server.stop(None)


async def test_details_of_an_error_are_passed_on_byte_for_byte(
    client: aiohttp.ClientSession,
) -> None:
    _, trailers, _ = split_frame(await by_grpcweb(client, b"\x0a\x04sold"))
    lines = dict(line.split(":", 1) for line in trailers.decode().splitlines())
    assert lines == {
        "grpc-status": "9",
        "grpc-message": "sold",
        "grpc-status-details-bin": "CAkSBHNvbGQaFwoRdC5leGFtcGxlL25vLlN1Y2gSAggB",
        "x-shelf": "3",
    }


async def test_what_is_left_of_a_deadline_is_passed_on(
    client: aiohttp.ClientSession, shop: Shop
) -> None:
    async with client.get("/v1/items/pen", headers={"Grpc-Timeout": "1H"}) as answer:
        assert answer.status == 200
    assert shop.remaining_s is not None
    assert 3000 < shop.remaining_s < 3700  # grpc rounds it up


async def test_a_server_that_ends_a_call_just_before_its_deadline_is_late(
    client: aiohttp.ClientSession,
) -> None:
    for _ in range(5):
        async with client.get("/v1/items/late", headers={"Grpc-Timeout": "100m"}) as answer:
            text = '{"code":4,"message":"Deadline Exceeded"}'
            assert (answer.status, await answer.text()) == (504, text)


async def test_a_server_that_says_that_it_is_unavailable_is_quoted(
    client: aiohttp.ClientSession,
) -> None:
    async with client.get("/v1/items/busy") as answer:
        text = '{"code":14,"message":"inventory until noon"}'
        assert (answer.status, await answer.text()) == (503, text)


async def test_a_server_that_is_down_is_unavailable_until_it_is_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server, port = await serving(Shop())
    await server.stop(None)
    transcoder = Transcoder.proxy(f"127.0.0.1:{port}", descriptor_set=descriptor_set())
    try:
        async with client_of(transcoder) as client:
            with caplog.at_level(logging.WARNING, "transcoder"):
                async with client.get("/v1/items/pen", headers={"X-Request-Id": "r1"}) as answer:
                    text = '{"code":14,"message":"the server behind this one is unavailable"}'
                    assert (answer.status, await answer.text()) == (503, text)
            (logged,) = (each.message for each in caplog.records if "reach" in each.message)
            assert logged.startswith(f"/shop.v1.Shop/Get cannot reach 127.0.0.1:{port}: ")
            assert logged.endswith(", request id r1")
            server, _ = await serving(Shop(), port)
            async with asyncio.timeout(30):
                while (await client.get("/v1/items/pen")).status != 200:
                    await asyncio.sleep(0.1)
    finally:
        await server.stop(None)


async def test_services_of_several_servers_are_served_at_one_address(
    client: aiohttp.ClientSession,
) -> None:
    server, port = await serving(Shop())
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        transcoder = Transcoder.proxy("127.0.0.1:1", files=[echo_pb2.DESCRIPTOR])
        services = ["shop.v1.Shop"]
        transcoder.forward(
            channel, descriptor_set=descriptor_set(), services=services, prefix="/shop"
        )
        address = await transcoder.start("127.0.0.1:0")
        try:
            async with client.get(f"http://{address}/shop/v1/items/pen") as answer:
                assert await answer.json() == {"name": "pen"}
            async with client.post(f"http://{address}/echo.v1.Echo/Say", json={}) as answer:
                assert answer.status == 503
        finally:
            await transcoder.stop()
            await server.stop(None)
        assert channel.get_state() is not grpc.ChannelConnectivity.SHUTDOWN


async def test_a_server_is_called_by_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server, port = await serving(Shop(), tls=authority.pair("server"))
    transcoder = Transcoder.proxy(
        f"127.0.0.1:{port}",
        credentials=grpc.ssl_channel_credentials(authority.path.read_bytes()),
        descriptor_set=descriptor_set(),
    )
    address = await transcoder.start("127.0.0.1:0")
    try:
        url = f"http://{address}/v1/items/pen"
        async with aiohttp.ClientSession() as client, client.get(url) as answer:
            assert await answer.json() == {"name": "pen"}
    finally:
        await transcoder.stop()
        await server.stop(None)


@cases(
    "given, message",
    {
        "a file without a service": (
            {"files": [annotations_pb2.DESCRIPTOR]},
            "upstream: expected files or a descriptor set with a service",
        ),
        "no file": (
            {"descriptor_set": "/no/such.binpb"},
            "descriptor_set '/no/such.binpb': No such file or directory",
        ),
        "no set": (
            {"descriptor_set": b"\xff"},
            "descriptor_set: expected a google.protobuf.FileDescriptorSet, as protoc writes it",
        ),
    },
)
async def test_descriptors_that_are_missing_or_invalid_are_refused(
    given: dict[str, Any], message: str
) -> None:
    with misconfigured(message):
        Transcoder.proxy("127.0.0.1:1", **given)


async def test_a_service_that_is_not_declared_is_refused() -> None:
    expected = "services: expected a service of the files or the descriptor set, got 'shop.v1.Till'"
    with misconfigured(expected):
        Transcoder().forward(
            "127.0.0.1:1", descriptor_set=descriptor_set(), services=["shop.v1.Till"]
        )


async def test_a_service_that_is_named_for_a_server_is_not_taken_from_another() -> None:
    asked, named = Shop(), Shop()
    first, first_port = await serving(asked, reflection="v1")
    second, second_port = await serving(named, reflection="v1")
    transcoder = Transcoder()
    transcoder.forward(f"127.0.0.1:{first_port}")
    transcoder.forward(f"127.0.0.1:{second_port}", services=["shop.v1.Shop"])
    try:
        async with client_of(transcoder) as session:
            async with asyncio.timeout(30):
                while (await session.get("/readyz")).status != 200:
                    await asyncio.sleep(0.05)
            headers = {"Grpc-Timeout": "30S"}
            async with session.get("/v1/items/pen", headers=headers) as answer:
                assert await answer.json() == {"name": "pen"}
    finally:
        await first.stop(None)
        await second.stop(None)
    assert asked.remaining_s is None
    assert named.remaining_s is not None
