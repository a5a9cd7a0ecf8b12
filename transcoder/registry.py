"""Find out what methods a service has.

Descriptors come from generated code, which adds itself to the default pool when it is imported.
Rule: this file knows nothing of HTTP.
"""

from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pool import DescriptorPool

from transcoder.call import Method
from transcoder.codec.message_types import message_class
from transcoder.errors import SchemaError


def methods_of(service: str, pool: DescriptorPool | None = None) -> dict[str, Method]:
    """The methods of a service, by the path that gRPC calls them.

    Args:
        service: its full name, "package.Service".
        pool: where its descriptor is; by default the pool that generated code fills.

    Raises:
        SchemaError: the pool does not know the service.
    """
    if pool is None:
        pool = descriptor_pool.Default()
    try:
        descriptor = pool.FindServiceByName(service)
    except KeyError as exc:
        raise SchemaError(
            f"service {service!r} has no descriptor in the pool: "
            "import its generated _pb2 module before registering it"
        ) from exc
    methods = {}
    for method in descriptor.methods:
        path = f"/{descriptor.full_name}/{method.name}"
        methods[path] = Method(
            path=path,
            request_type=message_class(method.input_type),
            response_type=message_class(method.output_type),
            client_streaming=method.client_streaming,
            server_streaming=method.server_streaming,
            descriptor=method,
        )
    return methods
