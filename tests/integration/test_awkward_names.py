"""A field may have the name of a message's method: each step of a call asks the class for those."""

import functools
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import grpc
import pytest

from tests.proto import awkward_pb2, awkward_pb2_grpc
from tests.support.grpc_frames import framed
from transcoder import Transcoder

Awkward: Any = awkward_pb2.Awkward  # in its stub, too, the fields hide the methods
TEXTS = [*("self", "class", "HasField", "ListFields", "CopyFrom", "SetInParent", "WhichOneof")]
MESSAGE = {
    **{name: name for name in TEXTS},
    "None": {"ByteSize": "7"},
    "ByteSize": "9007199254740993",
    "IsInitialized": True,
    "ParseFromString": ["a", "b"],
    "SerializeToString": "AQI=",
    "SerializePartialToString": {"a": "b"},
    "DESCRIPTOR": {"@type": "type.googleapis.com/awkward.v1.Awkward", "CopyFrom": "packed"},
}


class Awkwards(awkward_pb2_grpc.AwkwardsServicer):
    async def Say(self, request: Any, context: Any) -> Any:
        return request


class Unserialized(grpc.aio.ServerInterceptor):
    """Has the request go through its serializer."""

    async def intercept_service(
        self, continuation: Callable[[Any], Any], handler_call_details: Any
    ) -> Any:
        handler: Any = await continuation(handler_call_details)

        async def say(request: bytes, context: Any) -> bytes:
            message = Awkward.FromString(request)
            return handler.response_serializer(await handler.unary_unary(message, context))  # type: ignore[no-any-return]

        return grpc.unary_unary_rpc_method_handler(say)


@pytest.fixture(params=[(), (Unserialized(),)], ids=["by reference", "serialized"])
async def session(request: pytest.FixtureRequest) -> AsyncIterator[aiohttp.ClientSession]:
    transcoder: Any = Transcoder(interceptors=request.param, strict=True)
    awkward_pb2_grpc.add_AwkwardsServicer_to_server(Awkwards(), transcoder)
    address = await transcoder.start("127.0.0.1:0")
    async with aiohttp.ClientSession(f"http://{address}") as opened:
        yield opened
    await transcoder.stop()


async def test_a_body_comes_back(session: aiohttp.ClientSession) -> None:
    async with session.post("/awkward", json=MESSAGE) as answer:
        assert await answer.json() == MESSAGE


async def test_path_and_query_fill_their_fields(session: aiohttp.ClientSession) -> None:
    async with session.get("/awkward/a/b/c?None.ByteSize=7&HasField=") as answer:
        assert await answer.json() == {"WhichOneof": "b", "ByteSize": "7"}
    async with session.get("/awkward/a/b/c?None.FromString=7") as answer:
        assert (await answer.json())["message"] == (
            "None.WhichOneof: excludes FromString, which is given too"
        )


async def test_grpc_web_carries_it(session: aiohttp.ClientSession) -> None:
    frame = framed(Awkward.SerializeToString(Awkward(ByteSize=7, HasField="")))
    post = functools.partial(session.post, "/awkward.v1.Awkwards/Say")
    async with post(data=frame, headers={"Content-Type": "application/grpc-web"}) as answer:
        assert (await answer.read()).startswith(frame)
