"""The gRPC listener of the service, by grpc.aio's own client over a real socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha import reflection_pb2

from server.app import Application
from tests.support.composition import config_of
from tests.support.refusals import DEADLINE_S, refused
from tests.support.tables import cases
from zitadel import management_pb2 as pb
from zitadel.management_pb2_grpc import ManagementServiceStub

SERVICE = "zitadel.management.v1.ManagementService"
EXECUTION = "actions.v1.ExecutionService"
Metadata = tuple[tuple[str, str], ...]


class Service:
    """A running service and its first caller."""

    def __init__(self, data_dir: Path, grpc_listen: str) -> None:
        self.application = Application(config_of(data_dir, grpc_listen=grpc_listen))

    async def start(self) -> None:
        started = await self.application.start()
        assert started.owner is not None
        self.address = started.grpc_listen
        self.org_id = started.owner.org_id
        self.owner = bearer(started.owner.token)


def bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


@pytest_asyncio.fixture(params=["127.0.0.1:0", "none"], ids=["own port", "port of JSON"])
async def service(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Service]:
    running = Service(tmp_path / "data", request.param)
    try:
        await running.start()
        yield running
    finally:
        await running.application.stop()


@pytest_asyncio.fixture
async def channel(service: Service) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(service.address) as opened:
        yield opened


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> Any:
    return ManagementServiceStub(channel)


def health(channel: grpc.aio.Channel) -> Any:
    return HealthStub(channel)


# The main job.


async def test_inactive_action_is_reactivated(service: Service, stub: Any) -> None:
    request = pb.CreateActionRequest(name="hello", script="return")
    id: str = (await stub.CreateAction(request, metadata=service.owner)).id
    await stub.DeactivateAction(pb.DeactivateActionRequest(id=id), metadata=service.owner)
    answer = await stub.ReactivateAction(pb.ReactivateActionRequest(id=id), metadata=service.owner)
    details = answer.details
    assert (details.sequence, details.resource_owner) == (3, service.org_id)
    assert details.change_date.ToNanoseconds() > details.creation_date.ToNanoseconds() > 0


async def test_text_that_is_no_id_is_not_found(service: Service, stub: Any) -> None:
    request = pb.ReactivateActionRequest(id="a\0é" * 1000)
    error = await refused(stub.ReactivateAction(request, metadata=service.owner))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert error.details() == "Action not found (COMMAND-Aa22g)"


# Who calls.


async def test_missing_header_has_no_detail(stub: Any) -> None:
    error = await refused(stub.ListActions(pb.ListActionsRequest()))
    assert "grpc-status-details-bin" not in dict(error.trailing_metadata())


# What surrounds a call.


@cases("metadata", {"answered": True, "refused": False})
async def test_request_id_comes_back(service: Service, stub: Any, metadata: bool) -> None:
    sent = (*(service.owner if metadata else ()), ("x-request-id", "from-the-caller"))
    call = stub.ListActions(pb.ListActionsRequest(), metadata=sent)
    await asyncio.gather(call, return_exceptions=True)
    assert dict(await call.trailing_metadata())["x-request-id"] == "from-the-caller"


async def test_request_id_is_made(stub: Any) -> None:
    call = stub.Healthz(pb.HealthzRequest())
    await call
    assert len(dict(await call.trailing_metadata())["x-request-id"]) == 20


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_lists_services_and_describes_each(
    channel: grpc.aio.Channel, version: str
) -> None:
    reflect = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    names = (
        SERVICE,
        EXECUTION,
        "actions.v1.VersionService",
        "actions.v1.SecretService",
        "zitadel.admin.v1.AdminService",
        "actions.v1.AdminService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    )
    asked = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        *(reflection_pb2.ServerReflectionRequest(file_containing_symbol=name) for name in names),
    ]
    listed, *found = [answer async for answer in reflect(iter(asked))]
    assert {service.name for service in listed.list_services_response.service} == {*names}
    assert all(answer.file_descriptor_response.file_descriptor_proto for answer in found)


@pytest.mark.parametrize("name", ["", SERVICE, EXECUTION, "grpc.health.v1.Health"])
async def test_health_is_serving(channel: grpc.aio.Channel, name: str) -> None:
    answer = await health(channel).Check(health_pb2.HealthCheckRequest(service=name))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_health_of_an_unknown_service_is_not_found(channel: grpc.aio.Channel) -> None:
    error = await refused(health(channel).Check(health_pb2.HealthCheckRequest(service="x")))
    assert error.code() is grpc.StatusCode.NOT_FOUND


# What a client may not send (R26).


async def test_unknown_method_is_unimplemented(channel: grpc.aio.Channel) -> None:
    error = await refused(raw(channel, f"/{SERVICE}/NoSuchMethod", b""))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_message_of_5_mb_is_refused(service: Service, stub: Any) -> None:
    request = pb.CreateActionRequest(name="big", script="x" * 5_000_000)
    error = await refused(stub.CreateAction(request, metadata=service.owner))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_metadata_of_20_kb_is_refused(stub: Any) -> None:
    error = await refused(stub.Healthz(pb.HealthzRequest(), metadata=(("x", "y" * 20_000),)))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_metadata_of_9_kb_passes(stub: Any) -> None:
    for _ in range(5):
        await stub.Healthz(pb.HealthzRequest(), metadata=(("x", "y" * 9_000),))


async def test_bytes_that_are_no_message_are_refused_in_our_words(
    service: Service, channel: grpc.aio.Channel
) -> None:
    error = await refused(
        raw(channel, f"/{SERVICE}/ReactivateAction", b"\xff\xff", metadata=service.owner)
    )
    assert error.code() is grpc.StatusCode.INTERNAL
    assert error.details() == (
        "the request is not a zitadel.management.v1.ReactivateActionRequest "
        "in protobuf's binary format"
    )


async def test_token_is_judged_before_the_message(channel: grpc.aio.Channel) -> None:
    error = await refused(raw(channel, f"/{SERVICE}/ReactivateAction", b"\xff\xff"))
    assert error.details() == "auth header missing"


def raw(
    channel: grpc.aio.Channel, path: str, body: bytes, *, metadata: Metadata = ()
) -> Awaitable[bytes]:
    call: Callable[..., Awaitable[bytes]] = channel.unary_unary(
        path, request_serializer=None, response_deserializer=None
    )
    return call(body, metadata=metadata)


# The end.


async def test_service_is_not_ready_before_it_refuses_calls(
    service: Service, channel: grpc.aio.Channel, stub: Any
) -> None:
    watch = health(channel).Watch(health_pb2.HealthCheckRequest(service=SERVICE))
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    stopping = asyncio.create_task(service.application.stop())
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert await stub.Healthz(pb.HealthzRequest()) == pb.HealthzResponse()
    watch.cancel()
    await asyncio.wait_for(stopping, DEADLINE_S)
