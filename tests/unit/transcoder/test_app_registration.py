"""Faults of a service raise when it is registered, or when serving starts."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from aiohttp import web
from google.longrunning import operations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_health.v1 import health_pb2

from tests.support.everything_fixture import serving
from tests.support.raised import misconfigured
from tests.support.tables import cases
from transcoder import Limits, Transcoder
from transcoder.errors import SchemaError

SERVICE = "google.longrunning.Operations"
HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name


async def _operation(request: Any, context: Any) -> Any:
    return operations_pb2.Operation()


async def _echo(request: Any, context: Any) -> Any:
    return request


ECHO: Any = grpc.unary_unary_rpc_method_handler(_echo)
UNARY: Any = grpc.unary_unary_rpc_method_handler(_operation)
OTHER: Any = grpc.unary_unary_rpc_method_handler(health_pb2.HealthCheckRequest)
STREAM: Any = grpc.unary_stream_rpc_method_handler(_operation)
UPLOAD: Any = grpc.stream_unary_rpc_method_handler(_operation)


class Unnamed(grpc.GenericRpcHandler):
    def service(self, handler_call_details: Any) -> Any:
        return UNARY


@cases(
    "register, complaint",
    {
        "no descriptor": (
            lambda transcoder: transcoder.add_registered_method_handlers("no.Such", {"Get": UNARY}),
            "service 'no.Such' has no descriptor in the pool: "
            "import its generated _pb2 module before registering it",
        ),
        "handler of no method": (
            lambda transcoder: transcoder.add_registered_method_handlers(SERVICE, {"Nope": UNARY}),
            f"service '{SERVICE}' has no method 'Nope' in its descriptor",
        ),
        "handler that streams its responses": (
            lambda transcoder: transcoder.add_registered_method_handlers(
                SERVICE, {"GetOperation": STREAM}
            ),
            f"/{SERVICE}/GetOperation: expected a handler of one request and one response, "
            "got a stream of responses",
        ),
        "handler that streams its requests": (
            lambda transcoder: transcoder.add_registered_method_handlers(
                SERVICE, {"GetOperation": UPLOAD}
            ),
            f"/{SERVICE}/GetOperation: expected a handler of one request and one response, "
            "got a stream of requests",
        ),
        "a method twice, with two handlers": (
            lambda transcoder: [
                transcoder.at(prefix).add_registered_method_handlers(
                    SERVICE, {"GetOperation": handler}
                )
                for prefix, handler in (("/a", UNARY), ("/b", OTHER))
            ],
            f"/{SERVICE}/GetOperation is registered already, with another handler",
        ),
        "handler without a service": (
            lambda transcoder: transcoder.add_generic_rpc_handlers((Unnamed(),)),
            "Unnamed: expected a handler with a service_name()",
        ),
        "prefix without a slash": (
            lambda transcoder: transcoder.at("v1").add_registered_method_handlers(
                SERVICE, {"GetOperation": UNARY}
            ),
            "path template 'v1', column 1: expected \"/\", got 'v'",
        ),
        "prefix with a variable": (
            lambda transcoder: transcoder.at("/{a}").add_registered_method_handlers(
                SERVICE, {"GetOperation": UNARY}
            ),
            "prefix '/{a}': expected literal segments only, as in '/management/v1'",
        ),
    },
)
def test_what_cannot_be_served_is_refused_at_once(
    register: Callable[[Transcoder], object], complaint: str
) -> None:
    with misconfigured(complaint):
        register(Transcoder())


def test_a_route_may_be_had_once_across_services_and_prefixes() -> None:
    config = (
        b"http: {rules: ["
        b"{selector: google.longrunning.Operations.GetOperation, get: '/v1/a/{name}'},"
        b"{selector: grpc.health.v1.Health.Check, get: '/a/{service}'}]}"
    )
    transcoder = Transcoder(service_config=config)
    transcoder.add_registered_method_handlers(SERVICE, {"GetOperation": UNARY})
    with pytest.raises(SchemaError) as caught:
        transcoder.at("/v1").add_registered_method_handlers(HEALTH, {"Check": UNARY})
    first = "service configuration: http.rules[0] (google.longrunning.Operations.GetOperation)"
    second = "service configuration: http.rules[1] (grpc.health.v1.Health.Check)"
    assert str(caught.value) == (
        f"{second}: grpc.health.v1.Health.Check: GET /v1/a/{{service}} is the same route as "
        f"{first}: {SERVICE}.GetOperation: GET /v1/a/{{name}}"
    )


def test_all_faults_of_a_service_are_told_at_once() -> None:
    rules = {
        "GetOperation": "get: '/a/{nope}', additional_bindings: [{get: '/a/{'}, {get: /b}]",
        "ListOperations": "get: /b",
        "DeleteOperation": "delete: /c, response_body: nope",
        "CancelOperation": "post: /d",
    }
    configured = ", ".join(
        f"{{selector: {SERVICE}.{name}, {rule}}}" for name, rule in rules.items()
    )
    transcoder = Transcoder(service_config=f"http: {{rules: [{configured}]}}".encode())
    with pytest.raises(SchemaError) as caught:
        transcoder.add_registered_method_handlers(SERVICE, dict.fromkeys(rules, UNARY))
    head, *faults = str(caught.value).split("\n- ")
    assert head == "4 faults:"
    for fault, problem in zip(
        faults,
        (
            "'nope' is not a field of",
            "path template '/a/{'",
            "'nope' is not a field of",
            "/b is the same route as",
        ),
        strict=True,
    ):
        assert problem in fault
    # Nothing was added: neither the routes that are sound nor the handlers.
    transcoder.at("/v2").add_registered_method_handlers(SERVICE, {"CancelOperation": OTHER})


LEFT_OUT = b"""
http:
  rules:
  - selector: google.longrunning.Operations.GetOperation
    get: /a/{name}
    additional_bindings: [{get: '/{broken'}, {get: '/b/{name}'}]
  - selector: google.longrunning.Operations.ListOperations
    get: /c/{nope}
"""


async def test_methods_and_bindings_that_are_left_out_have_no_route() -> None:
    transcoder = Transcoder(
        service_config=LEFT_OUT,
        without_json=[f"{SERVICE}.GetOperation GET /{{broken", f"{SERVICE}.ListOperations"],
    )
    handlers = {"GetOperation": UNARY, "ListOperations": UNARY}
    transcoder.add_registered_method_handlers(SERVICE, handlers)
    async with serving(transcoder) as session:
        for path, status in (("/a/x", 200), ("/b/x", 200), ("/c/x", 404)):
            async with session.get(path) as answer:
                assert answer.status == status, path
        # gRPC-Web serves it; JSON has not even the path of a method without a rule.
        async with session.post(f"/{SERVICE}/ListOperations", json={}) as answer:
            assert answer.status == 415
        headers = {"Content-Type": "application/grpc-web+proto"}
        frame = bytes(5)
        async with session.post(
            f"/{SERVICE}/ListOperations", data=frame, headers=headers
        ) as answer:
            assert (answer.status, b"grpc-status" in await answer.read()) == (200, True)


@pytest.mark.parametrize("name", [f"{SERVICE}.Nope", "x.*", f"{SERVICE}.GetOperation GET /nope"])
async def test_what_is_left_out_must_be_there(name: str) -> None:
    transcoder = Transcoder(without_json=[name])
    transcoder.add_registered_method_handlers(SERVICE, {"GetOperation": UNARY})
    with pytest.raises(SchemaError) as caught:
        await transcoder.start("127.0.0.1:0")
    assert str(caught.value) == (
        f"without_json: {name!r} is no method or binding that is registered"
    )


def test_a_service_that_is_refused_leaves_nothing_behind() -> None:
    config = (
        b"http: {rules: ["
        b"{selector: grpc.health.v1.Health.Check, get: '/v1/taken'},"
        b"{selector: google.longrunning.Operations.GetOperation, get: '/free'},"
        b"{selector: google.longrunning.Operations.ListOperations, get: '/taken'}]}"
    )
    transcoder = Transcoder(service_config=config)
    transcoder.add_registered_method_handlers(HEALTH, {"Check": UNARY})
    refused = {"GetOperation": UNARY, "ListOperations": UNARY}
    with pytest.raises(SchemaError, match="ListOperations: GET /v1/taken is the same route as"):
        transcoder.at("/v1").add_registered_method_handlers(SERVICE, refused)
    # Neither the route of its first method nor its handlers stand in the way of others.
    served = {"GetOperation": OTHER, "ListOperations": OTHER}
    transcoder.at("/v2").add_registered_method_handlers(SERVICE, served)
    with pytest.raises(SchemaError, match="ListOperations: GET /v1/taken is the same route as"):
        transcoder.at("/v1").add_registered_method_handlers(SERVICE, served)


def chained_types(count: int) -> str:
    """Adds a service to the default pool, whose request holds so many types, each in the last.

    Returns:
        Its name.
    """
    file = descriptor_pb2.FileDescriptorProto(name="chain.proto", syntax="proto3", package="chain")
    for number in range(count):
        message = file.message_type.add(name=f"Link{number}")
        if number + 1 == count:
            break
        field = message.field.add(
            name="next", number=1, type=descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
        )
        field.label = (
            descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
            if number % 3 == 0
            else descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
        )
        field.type_name = f".chain.Link{number + 1}"
    file.service.add(name="Chain").method.add(
        name="Follow", input_type=".chain.Link0", output_type=".chain.Link0"
    )
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
    return "chain.Chain"


async def test_a_service_of_two_thousand_types_in_a_chain_is_served() -> None:
    service = chained_types(2000)
    transcoder = Transcoder()
    transcoder.add_registered_method_handlers(service, {"Follow": ECHO})
    async with serving(transcoder) as session:
        body = '{"next":[{"next":{"next":{"next":[{}]}}}]}'
        headers = {"Content-Type": "application/json"}
        async with session.post(f"/{service}/Follow", data=body, headers=headers) as answer:
            assert (answer.status, await answer.text()) == (200, body)


async def test_a_selector_of_nothing_is_refused_when_serving_starts() -> None:
    config = b"http: {rules: [{selector: google.longrunning.Operations.GetOperation, get: /a}]}"
    transcoder = Transcoder(service_config=config)
    await transcoder.start("127.0.0.1:0")  # which logs that the service is not there
    transcoder.at("/x").add_registered_method_handlers(SERVICE, {"ListOperations": UNARY})
    application = transcoder.app()
    complaint = r"http\.rules\[0\] .* selects no method that is registered"
    with pytest.raises(SchemaError, match=complaint):
        await transcoder.start("127.0.0.1:0")
    with pytest.raises(SchemaError, match=complaint):
        await web.AppRunner(application).setup()
    transcoder.add_registered_method_handlers(SERVICE, {"GetOperation": UNARY})
    await transcoder.start("127.0.0.1:0")
    await transcoder.stop()


class Synchronous(grpc.ServerInterceptor):
    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        return continuation(handler_call_details)


@pytest.mark.parametrize(
    ("construct", "complaint"),
    [
        pytest.param(
            lambda: Transcoder(interceptors=[object()]),  # type: ignore[list-item]  # the fault
            "interceptors: expected a list of grpc.aio.ServerInterceptors, got object",
            id="interceptor",
        ),
        pytest.param(
            lambda: Transcoder(interceptors=[Synchronous()]),  # type: ignore[list-item]  # the fault
            "interceptors: expected a list of grpc.aio.ServerInterceptors, got Synchronous",
            id="interceptor of grpc, which is not grpc.aio's",
        ),
        pytest.param(
            lambda: Transcoder(interceptors=Synchronous()),  # type: ignore[arg-type]  # the fault
            "interceptors: expected a list of grpc.aio.ServerInterceptors, got Synchronous",
            id="interceptor in no list",
        ),
        pytest.param(
            lambda: Transcoder(compress_min_bytes=-1),
            "compress_min_bytes: expected 0 or more, or None, got -1",
            id="compress_min_bytes",
        ),
        pytest.param(
            lambda: Limits(body_max_bytes=0),
            "limit body_max_bytes: expected a whole number above 0, got 0",
            id="limit",
        ),
        pytest.param(
            lambda: Limits(body_timeout_s=float("nan")),
            "limit body_timeout_s: expected a number above 0, got nan",
            id="limit that is no number",
        ),
        pytest.param(
            lambda: Limits(body_max_bytes="1 MiB"),  # type: ignore[arg-type]  # the fault
            "limit body_max_bytes: expected a whole number above 0, got '1 MiB'",
            id="limit that is a text",
        ),
        pytest.param(
            lambda: Limits(connections_max=1e3),  # type: ignore[arg-type]  # the fault
            "limit connections_max: expected a whole number above 0, got 1000.0",
            id="limit that is no whole number",
        ),
        pytest.param(
            lambda: Limits(headers_max=True),
            "limit headers_max: expected a whole number above 0, got True",
            id="limit that is a bool",
        ),
    ],
)
def test_what_cannot_be_kept_is_refused_by_the_constructor(
    construct: Callable[[], object], complaint: str
) -> None:
    with misconfigured(complaint):
        construct()


def test_a_configuration_that_cannot_be_read_is_refused_by_the_constructor() -> None:
    with misconfigured("service configuration: expected a list as http.rules, got a mapping"):
        Transcoder(service_config=b"http: {rules: {}}")
