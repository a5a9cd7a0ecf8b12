"""The methods of a service, from the pool that knows it."""

from google.longrunning import operations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, empty_pb2

from tests.support.raised import misconfigured
from tests.support.tables import cases
from transcoder.registry import methods_of


def test_generated_service_is_found_in_the_default_pool() -> None:
    methods = methods_of("google.longrunning.Operations")
    assert sorted(methods) == [
        "/google.longrunning.Operations/CancelOperation",
        "/google.longrunning.Operations/DeleteOperation",
        "/google.longrunning.Operations/GetOperation",
        "/google.longrunning.Operations/ListOperations",
        "/google.longrunning.Operations/WaitOperation",
    ]


def test_method_has_the_generated_message_classes() -> None:
    method = methods_of("google.longrunning.Operations")[
        "/google.longrunning.Operations/DeleteOperation"
    ]
    assert method.path == "/google.longrunning.Operations/DeleteOperation"
    assert method.request_type is operations_pb2.DeleteOperationRequest
    assert method.response_type is empty_pb2.Empty
    assert method.descriptor.full_name == "google.longrunning.Operations.DeleteOperation"


@cases(
    "client_streaming, server_streaming",
    {
        "unary": (False, False),
        "client stream": (True, False),
        "server stream": (False, True),
        "both": (True, True),
    },
)
def test_method_of_another_pool_says_what_it_streams(
    client_streaming: bool, server_streaming: bool
) -> None:
    file = descriptor_pb2.FileDescriptorProto(name="e.proto", package="e", syntax="proto3")
    file.message_type.add(name="M")
    file.service.add(name="Echo").method.add(
        name="Call",
        input_type=".e.M",
        output_type=".e.M",
        client_streaming=client_streaming,
        server_streaming=server_streaming,
    )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    method = methods_of("e.Echo", pool)["/e.Echo/Call"]
    assert (method.client_streaming, method.server_streaming) == (
        client_streaming,
        server_streaming,
    )
    assert method.request_type.DESCRIPTOR.full_name == "e.M"


def test_unknown_service_is_refused_with_what_to_do() -> None:
    with misconfigured(
        "service 'no.Such' has no descriptor in the pool: "
        "import its generated _pb2 module before registering it"
    ):
        methods_of("no.Such")
