"""Faults of a service raise when it is registered, or when serving starts."""

from typing import Any

import grpc
import pytest
from aiohttp import web
from google.longrunning import operations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_health.v1 import health_pb2

from tests.support.raised import misconfigured
from tests.support.tables import cases
from tests.support.transcoder_client import client_of
from transcoder import EventOptions, Limits, OpenApi, Transcoder
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
    "prefix, service, handlers, complaint",
    {
        "no descriptor": (
            "",
            "no.Such",
            {"Get": UNARY},
            "service 'no.Such' has no descriptor in the pool: "
            "import its generated _pb2 module before registering it",
        ),
        "handler of no method": (
            "",
            SERVICE,
            {"Nope": UNARY},
            f"service '{SERVICE}' has no method 'Nope' in its descriptor",
        ),
        "handler that streams its responses": (
            "",
            SERVICE,
            {"GetOperation": STREAM},
            f"/{SERVICE}/GetOperation: expected a handler of one request and one response, "
            "got a stream of responses",
        ),
        "handler that streams its requests": (
            "",
            SERVICE,
            {"GetOperation": UPLOAD},
            f"/{SERVICE}/GetOperation: expected a handler of one request and one response, "
            "got a stream of requests",
        ),
        "prefix without a slash": (
            "v1",
            SERVICE,
            {"GetOperation": UNARY},
            "path template 'v1', column 1: expected \"/\", got 'v'",
        ),
        "prefix with a variable": (
            "/{a}",
            SERVICE,
            {"GetOperation": UNARY},
            "prefix '/{a}': expected literal segments only, as in '/management/v1'",
        ),
    },
)
def test_a_service_that_cannot_be_served_is_refused_at_once(
    prefix: str, service: str, handlers: dict[str, Any], complaint: str
) -> None:
    with misconfigured(complaint):
        Transcoder().at(prefix).add_registered_method_handlers(service, handlers)


def test_a_method_is_registered_with_one_handler() -> None:
    transcoder = Transcoder()
    transcoder.at("/a").add_registered_method_handlers(SERVICE, {"GetOperation": UNARY})
    with misconfigured(f"/{SERVICE}/GetOperation has another handler already"):
        transcoder.at("/b").add_registered_method_handlers(SERVICE, {"GetOperation": OTHER})


def test_a_handler_without_a_service_is_refused() -> None:
    with misconfigured("Unnamed: expected a handler with a service_name()"):
        Transcoder().add_generic_rpc_handlers((Unnamed(),))


def test_a_route_may_be_had_once_across_services_and_prefixes() -> None:
    config = (
        b"http: {rules: ["
        b"{selector: google.longrunning.Operations.GetOperation, get: '/v1/a/{name}'},"
        b"{selector: grpc.health.v1.Health.Check, get: '/a/{service}'}]}"
    )
    transcoder = Transcoder(service_config=config)
    transcoder.add_registered_method_handlers(SERVICE, {"GetOperation": UNARY})
    first = "service configuration: http.rules[0] (google.longrunning.Operations.GetOperation)"
    second = "service configuration: http.rules[1] (grpc.health.v1.Health.Check)"
    with misconfigured(
        f"{second}: grpc.health.v1.Health.Check: GET /v1/a/{{service}} is the same route as "
        f"{first}: {SERVICE}.GetOperation: GET /v1/a/{{name}}"
    ):
        transcoder.at("/v1").add_registered_method_handlers(HEALTH, {"Check": UNARY})


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


OWN_PATH = b"""
http:
  rules:
  - selector: google.longrunning.Operations.GetOperation
    post: /google.longrunning.Operations/GetOperation
    body: name
"""


async def test_a_rule_for_the_own_path_of_its_method_is_the_only_route_there() -> None:
    transcoder = Transcoder(service_config=OWN_PATH)
    transcoder.add_registered_method_handlers(SERVICE, {"GetOperation": UNARY})
    async with client_of(transcoder) as session:
        for body, status in (("a", 200), ({"name": "a"}, 400)):
            async with session.post(f"/{SERVICE}/GetOperation", json=body) as answer:
                assert answer.status == status, body


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
    async with client_of(transcoder) as session:
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
async def test_methods_left_out_must_be_registered(name: str) -> None:
    transcoder = Transcoder(without_json=[name])
    transcoder.add_registered_method_handlers(SERVICE, {"GetOperation": UNARY})
    with misconfigured(f"without_json: expected a registered method or binding, got {name!r}"):
        await transcoder.start("127.0.0.1:0")


async def test_public_methods_of_the_document_must_be_registered() -> None:
    public = [f"{SERVICE}.GetOperation", "google.*", "nope.*"]
    transcoder = Transcoder(openapi=OpenApi(public_methods=public))
    transcoder.add_registered_method_handlers(SERVICE, {"GetOperation": UNARY})
    with misconfigured("public_methods: expected a registered method, got 'nope.*'"):
        await transcoder.start("127.0.0.1:0")


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
    async with client_of(transcoder) as session:
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


@cases(
    "interceptors, got",
    {
        "another object": ([object()], "object"),
        "one of grpc, which is not grpc.aio's": ([Synchronous()], "Synchronous"),
        "one in no list": (Synchronous(), "Synchronous"),
    },
)
def test_interceptors_are_a_list_of_those_of_grpc_aio(interceptors: Any, got: str) -> None:
    expected = "expected a list of grpc.aio.ServerInterceptors"
    with misconfigured(f"interceptors: {expected}, got {got}"):
        Transcoder(interceptors=interceptors)


async def test_the_proxy_protocol_needs_trusted_proxies() -> None:
    with misconfigured("proxy_protocol: expected trusted_proxies to be given, too"):
        await Transcoder().start("127.0.0.1:0", proxy_protocol=True)


def test_a_trusted_proxy_is_a_network() -> None:
    expected = "a network (CIDR), an address or 'unix'"
    with misconfigured(f"trusted proxy 'localhost': expected {expected}"):
        Transcoder(trusted_proxies=["localhost"])


def test_a_size_to_compress_from_is_no_negative_number() -> None:
    with misconfigured("compress_min_bytes: expected 0 or more, or None, got -1"):
        Transcoder(compress_min_bytes=-1)


@cases(
    "name, value, expected",
    {
        "zero": ("body_max_bytes", 0, "a whole number above 0, got 0"),
        "no number": ("body_timeout_s", float("nan"), "a number above 0, got nan"),
        "a text": ("body_max_bytes", "1 MiB", "a whole number above 0, got '1 MiB'"),
        "no whole number": ("connections_max", 1e3, "a whole number above 0, got 1000.0"),
        "a bool": ("headers_max", True, "a whole number above 0, got True"),
    },
)
def test_a_limit_is_a_number_above_0(name: str, value: Any, expected: str) -> None:
    with misconfigured(f"limit {name}: expected {expected}"):
        Limits(**{name: value})


@cases(
    "options, expected",
    {
        "no heartbeat": ({"heartbeat_s": 0}, "heartbeat_s: expected more than 0, got 0"),
        "less than none": ({"retry_ms": -1}, "retry_ms: expected 0 or more, got -1"),
        "a part": ({"retry_ms": 0.5}, "retry_ms: expected a whole number, got 0.5"),
        "a bool": ({"retry_ms": True}, "retry_ms: expected a whole number, got True"),
    },
)
def test_options_of_events_are_checked(options: dict[str, Any], expected: str) -> None:
    with misconfigured(expected):
        EventOptions(**options)


def test_a_configuration_that_cannot_be_read_is_refused_by_the_constructor() -> None:
    with misconfigured("service configuration: expected a list as http.rules, got a mapping"):
        Transcoder(service_config=b"http: {rules: {}}")
