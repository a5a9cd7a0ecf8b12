"""Services that take the place of others, seen from the Transcoder that has them."""

import asyncio
import threading
from typing import Any

import grpc
import pytest
from google.longrunning import operations_pb2
from grpc_health.v1 import health_pb2

from tests.support.raised import misconfigured
from transcoder.backends.inprocess import InProcess
from transcoder.codec.codec import Codec
from transcoder.descriptor_sets import TypePools
from transcoder.errors import SchemaError, TranscodeError
from transcoder.http.unserved_paths import UnservedPaths
from transcoder.registry import Registry
from transcoder.services import NewService, NewServices, Services

HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
OPERATIONS = operations_pb2.DESCRIPTOR.services_by_name["Operations"].full_name


async def _echo(request: Any, context: Any) -> Any:
    return request


def handlers() -> dict[str, Any]:
    """Returns one that is none of another service's."""
    return {"Check": grpc.unary_unary_rpc_method_handler(lambda *given: _echo(*given))}


HEALTHY = NewService(HEALTH, handlers(), "/health", None)
OPERATED = NewService(
    OPERATIONS, {"GetOperation": grpc.unary_unary_rpc_method_handler(_echo)}, "", None
)


def made() -> tuple[Registry, Services]:
    codec = Codec()
    registry = Registry(codec, config=None, strict=False)
    unserved = UnservedPaths("")
    return registry, Services(registry, InProcess(), codec, TypePools(), unserved, None)


async def test_a_service_that_is_added_while_others_are_replaced_is_served() -> None:
    registry, services = made()
    is_making, may_go_on, times = threading.Event(), threading.Event(), []

    def new() -> NewServices:
        times.append("made")
        is_making.set()
        assert may_go_on.wait(30)
        return NewServices([HEALTHY], {})

    async def add() -> None:
        await asyncio.to_thread(is_making.wait, 30)
        services.add(OPERATED)
        may_go_on.set()

    (names, faults), _ = await asyncio.gather(services.replace([], new, []), add())
    assert (names, faults, times) == ([HEALTH], {}, ["made", "made"])
    assert registry.router.match("POST", f"/{HEALTH}/Check").target.method.path
    assert registry.router.match("POST", f"/{OPERATIONS}/GetOperation").target.method.path


async def test_nothing_changes_if_a_required_service_has_a_fault() -> None:
    registry, services = made()
    services.add(HEALTHY)
    fault = SchemaError("lost")
    with misconfigured("lost"):
        await services.replace([HEALTH], lambda: NewServices([OPERATED], {HEALTH: fault}), [HEALTH])
    assert registry.methods.keys() == {f"/{HEALTH}/Check"}
    services.add(OPERATED)
    assert registry.methods.keys() == {f"/{HEALTH}/Check", f"/{OPERATIONS}/GetOperation"}


async def test_a_method_of_two_services_stays_with_the_one_that_has_it() -> None:
    _, services = made()
    services.add(HEALTHY)
    other = NewService(HEALTH, handlers(), "", None)
    names, faults = await services.replace([], lambda: NewServices([OPERATED, other], {}), [])
    assert names == [OPERATIONS]
    assert str(faults[HEALTH]) == f"/{HEALTH}/Check has another handler already"


async def test_routes_of_services_that_are_gone_are_gone() -> None:
    registry, services = made()
    services.add(HEALTHY)
    names, _ = await services.replace([HEALTH], lambda: NewServices([OPERATED], {}), [])
    assert names == [OPERATIONS]
    with pytest.raises(TranscodeError) as raised:
        registry.router.match("POST", f"/{HEALTH}/Check")
    assert raised.value.code is grpc.StatusCode.NOT_FOUND
