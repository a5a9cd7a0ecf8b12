"""The gRPC listener of the service, by grpc.aio's own client over a real socket."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Never

import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha import reflection_pb2

from server.app import Application
from server.config import Config
from tests.support.accounts import Accounts
from tests.support.refusals import DEADLINE_S, detail_of, refused
from tests.support.tables import cases
from zitadel import management_pb2 as pb
from zitadel.management_pb2_grpc import ManagementServiceStub

SERVICE = "zitadel.management.v1.ManagementService"
EXECUTION = "actions.v1.ExecutionService"
Metadata = tuple[tuple[str, str], ...]


class Service:
    """A running service, its first caller, and accounts made as an operator makes them."""

    def __init__(self, data_dir: Path) -> None:
        self.application = Application(
            Config(
                listen="127.0.0.1:0",
                grpc_listen="127.0.0.1:0",
                data_dir=data_dir,
                access_log=False,
            )
        )
        self._data_dir = data_dir

    async def start(self) -> None:
        started = await self.application.start()
        assert started.owner is not None
        self.address = started.grpc_listen
        self.org_id = started.owner.org_id
        self.owner = bearer(started.owner.token)
        self._accounts = Accounts(self._data_dir)

    async def org(self) -> str:
        return await self._accounts.org()

    async def user(self, *roles: str) -> str:
        """Make a user of the first organisation, a member of it if there are roles."""
        return await self._accounts.user(self.org_id, *roles)

    async def token(self, user_id: str, *, expires_at: int | None = None) -> tuple[str, Metadata]:
        """Make a token.

        Returns:
            Its id, and the metadata that shows it.
        """
        id, secret = await self._accounts.token(user_id, expires_at=expires_at)
        return id, bearer(secret)

    async def revoke(self, token_id: str) -> None:
        await self._accounts.revoke(token_id)


def bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


@pytest_asyncio.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    running = Service(tmp_path / "data")
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


async def made(stub: Any, metadata: Metadata, *, is_active: bool = True) -> str:
    request = pb.CreateActionRequest(name="hello", script="return")
    id: str = (await stub.CreateAction(request, metadata=metadata)).id
    if not is_active:
        await stub.DeactivateAction(pb.DeactivateActionRequest(id=id), metadata=metadata)
    return id


# The main job.


async def test_inactive_action_is_reactivated(service: Service, stub: Any) -> None:
    id = await made(stub, service.owner, is_active=False)
    answer = await stub.ReactivateAction(pb.ReactivateActionRequest(id=id), metadata=service.owner)
    details = answer.details
    assert (details.sequence, details.resource_owner) == (3, service.org_id)
    assert details.change_date.ToNanoseconds() > details.creation_date.ToNanoseconds() > 0


async def test_active_action_is_not_reactivated(service: Service, stub: Any) -> None:
    id = await made(stub, service.owner)
    error = await refused(
        stub.ReactivateAction(pb.ReactivateActionRequest(id=id), metadata=service.owner)
    )
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert error.details() == "Action is not inactive (COMMAND-J53zh)"
    assert detail_of(error) == (
        9,
        "Action is not inactive (COMMAND-J53zh)",
        "COMMAND-J53zh",
        "Action is not inactive",
    )


@cases(
    "id, code, message",
    {
        "unknown": (
            "100000000000000009",
            grpc.StatusCode.NOT_FOUND,
            "Action not found (COMMAND-Aa22g)",
        ),
        "no id at all": (
            "a\0é" * 1000,
            grpc.StatusCode.NOT_FOUND,
            "Action not found (COMMAND-Aa22g)",
        ),
        "empty": ("", grpc.StatusCode.INVALID_ARGUMENT, "ID missing (COMMAND-BNm56)"),
    },
)
async def test_wrong_id_is_refused(
    service: Service, stub: Any, id: str, code: grpc.StatusCode, message: str
) -> None:
    error = await refused(
        stub.ReactivateAction(pb.ReactivateActionRequest(id=id), metadata=service.owner)
    )
    assert (error.code(), error.details()) == (code, message)


async def test_action_of_another_organisation_is_not_found(service: Service, stub: Any) -> None:
    elsewhere = (*service.owner, ("x-zitadel-orgid", await service.org()))
    id = await made(stub, elsewhere, is_active=False)
    error = await refused(
        stub.ReactivateAction(pb.ReactivateActionRequest(id=id), metadata=service.owner)
    )
    assert error.details() == "Action not found (COMMAND-Aa22g)"
    answer = await stub.ReactivateAction(pb.ReactivateActionRequest(id=id), metadata=elsewhere)
    assert answer.details.sequence == 3


# Who calls.


@cases(
    "metadata, message",
    {
        "no header": ((), "auth header missing"),
        "another scheme": ((("authorization", "Basic eDp5"),), "invalid auth header (AUTH-toLo1)"),
        "garbage": (bearer("garbage"), "Errors.Token.Invalid (AUTH-7fs1e)"),
        "unknown token": (bearer("act_" + "x" * 43), "Errors.Token.Invalid (AUTH-7fs1e)"),
    },
)
async def test_caller_without_a_token_is_unauthenticated(
    stub: Any, metadata: Metadata, message: str
) -> None:
    error = await refused(stub.ListActions(pb.ListActionsRequest(), metadata=metadata))
    assert (error.code(), error.details()) == (grpc.StatusCode.UNAUTHENTICATED, message)


async def test_auth_refusals_have_their_detail_too(stub: Any) -> None:
    error = await refused(stub.ListActions(pb.ListActionsRequest(), metadata=bearer("garbage")))
    assert detail_of(error) == (
        16,
        "Errors.Token.Invalid (AUTH-7fs1e)",
        "AUTH-7fs1e",
        "Errors.Token.Invalid",
    )


async def test_missing_header_has_no_detail(stub: Any) -> None:
    error = await refused(stub.ListActions(pb.ListActionsRequest()))
    assert "grpc-status-details-bin" not in dict(error.trailing_metadata())


async def test_token_works_until_it_expires(service: Service, stub: Any) -> None:
    expires_at = time.time_ns() // 1000 + 500_000
    _, metadata = await service.token(await service.user("ORG_OWNER"), expires_at=expires_at)

    async def use_it() -> Never:
        while True:
            await stub.ListActions(pb.ListActionsRequest(), metadata=metadata)

    error = await refused(use_it())
    assert time.time_ns() // 1000 >= expires_at
    assert error.details() == "Errors.Token.Invalid (AUTH-7fs1e)"


async def test_revoked_token_is_refused_at_the_next_call(service: Service, stub: Any) -> None:
    id, metadata = await service.token(await service.user("ORG_OWNER"))
    await stub.ListActions(pb.ListActionsRequest(), metadata=metadata)
    await service.revoke(id)
    error = await refused(stub.ListActions(pb.ListActionsRequest(), metadata=metadata))
    assert error.details() == "Errors.Token.Invalid (AUTH-7fs1e)"


async def test_viewer_reads_and_does_not_write(service: Service, stub: Any) -> None:
    _, viewer = await service.token(await service.user("ORG_OWNER_VIEWER"))
    await stub.ListActions(pb.ListActionsRequest(), metadata=viewer)
    error = await refused(stub.CreateAction(pb.CreateActionRequest(name="x"), metadata=viewer))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert error.details() == "No matching permissions found (AUTH-5mWD2)"


async def test_organisation_must_exist(service: Service, stub: Any) -> None:
    metadata = (*service.owner, ("x-zitadel-orgid", "100000000000000009"))
    error = await refused(stub.ListActions(pb.ListActionsRequest(), metadata=metadata))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert error.details() == "Organisation doesn't exist (AUTH-Bs7Ds)"


@pytest.mark.parametrize("roles", [(), ("ORG_OWNER",)], ids=["of none", "of another"])
async def test_caller_must_be_a_member(service: Service, stub: Any, roles: tuple[str, ...]) -> None:
    _, metadata = await service.token(await service.user(*roles))
    org_id = await service.org()
    error = await refused(
        stub.ListActions(pb.ListActionsRequest(), metadata=(*metadata, ("x-zitadel-orgid", org_id)))
    )
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert error.details() == "membership not found (AUTHZ-cdgFk)"


async def test_healthz_needs_no_token(stub: Any) -> None:
    assert await stub.Healthz(pb.HealthzRequest()) == pb.HealthzResponse()


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
