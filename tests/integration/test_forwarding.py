"""A transcoder in front of a gRPC server of which this process has only a descriptor set."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp
import grpc
import pytest
import pytest_asyncio
from google.api import annotations_pb2
from google.protobuf import any_pb2, text_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.rpc.status_pb2 import Status

from tests.proto import echo_pb2
from tests.support.grpc_frames import framed, split_frame
from tests.support.raised import misconfigured
from tests.support.tables import cases
from transcoder import Transcoder

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHOP: Final = """
name: "shop/v1/shop.proto" package: "shop.v1" syntax: "proto3"
dependency: "google/api/annotations.proto" dependency: "google/protobuf/any.proto"
message_type {
  name: "Item"
  field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL json_name: "name" }
  field { name: "extra" number: 2 type: TYPE_MESSAGE label: LABEL_OPTIONAL json_name: "extra"
          type_name: ".google.protobuf.Any" }
}
service {
  name: "Shop"
  method { name: "Get" input_type: ".shop.v1.Item" output_type: ".shop.v1.Item"
           options { [google.api.http] { get: "/v1/items/{name}" } } }
}
"""
MESSAGE: Final = b"\x0a\x03pen"
"""An Item with the name "pen"."""
UNKNOWN_FIELD: Final = b"\xa2\x06\x03new"
"""Field 100, of which the descriptor set does not know."""
DETAILS: Final = Status(
    code=9, message="sold", details=[any_pb2.Any(type_url="t.example/no.Such", value=b"\x08\x01")]
).SerializeToString()


def descriptor_set() -> bytes:
    file = text_format.Parse(SHOP, FileDescriptorProto())
    return FileDescriptorSet(file=[file]).SerializeToString()


class Shop:
    """A servicer of bytes.

    Attributes:
        remaining_s: seconds that the last call had left.
    """

    def __init__(self) -> None:
        self.remaining_s: float | None = None

    async def get(self, request: bytes, context: Any) -> bytes:
        self.remaining_s = context.time_remaining()
        if request == b"\x0a\x04sold":
            trailing = (("grpc-status-details-bin", DETAILS), ("x-shelf", "3"))
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "sold", trailing)
        if request == b"\x0a\x04full":
            extra = any_pb2.Any(type_url="t.example/shop.v1.Item", value=MESSAGE)
            data = extra.SerializeToString()
            return b"\x12" + bytes([len(data)]) + data
        return request


async def serving(shop: Shop, port: int = 0) -> tuple[grpc.aio.Server, int]:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    handlers: Any = {"Get": grpc.unary_unary_rpc_method_handler(shop.get)}
    generic = grpc.method_handlers_generic_handler("shop.v1.Shop", handlers)
    server.add_generic_rpc_handlers((generic,))
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    return server, port


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> Shop:
    return Shop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(shop: Shop) -> AsyncIterator[aiohttp.ClientSession]:
    server, port = await serving(shop)
    transcoder = Transcoder.proxy(f"127.0.0.1:{port}", descriptor_set=descriptor_set())
    address = await transcoder.start("127.0.0.1:0")
    try:
        async with aiohttp.ClientSession(f"http://{address}") as session:
            yield session
    finally:
        await transcoder.stop()
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


async def test_a_server_that_is_down_is_unavailable_until_it_is_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server, port = await serving(Shop())
    await server.stop(None)
    transcoder = Transcoder.proxy(f"127.0.0.1:{port}", descriptor_set=descriptor_set())
    address = await transcoder.start("127.0.0.1:0")
    try:
        async with aiohttp.ClientSession(f"http://{address}") as client:
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
        await transcoder.stop()
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


@cases(
    "given, message",
    {
        "nothing": ({}, "upstream: expected files or a descriptor set with a service"),
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
