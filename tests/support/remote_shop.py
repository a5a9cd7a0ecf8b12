"""Serves a shop of bytes by grpc.aio; clients have its descriptor set, or ask for descriptors.

Knows nothing of the transcoder; the types of its messages are in no pool of this process.
"""

import asyncio
from typing import Any, Final

import grpc
from google.api import annotations_pb2, http_pb2
from google.protobuf import any_pb2, descriptor_pb2, text_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.rpc.status_pb2 import Status
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection import aio

from tests.support.certificates import Authority, Pair

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


def shop_file() -> FileDescriptorProto:
    return text_format.Parse(SHOP, FileDescriptorProto())


def descriptor_set() -> bytes:
    return FileDescriptorSet(file=[shop_file()]).SerializeToString()


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
        if request == b"\x0a\x04busy":
            await context.abort(grpc.StatusCode.UNAVAILABLE, "inventory until noon")
        if request == b"\x0a\x04late":
            await asyncio.sleep(max(context.time_remaining() - 0.008, 0))
            await context.abort(grpc.StatusCode.CANCELLED, "late")
        if request == b"\x0a\x04full":
            extra = any_pb2.Any(type_url="t.example/shop.v1.Item", value=MESSAGE)
            data = extra.SerializeToString()
            return b"\x12" + bytes([len(data)]) + data
        return request


async def serving(
    shop: Shop,
    port: int = 0,
    *,
    reflection: str = "",
    tls: Pair | None = None,
    clients_of: Authority | None = None,
    host: str = "127.0.0.1",
) -> tuple[grpc.aio.Server, int]:
    """Serves on a port.

    Args:
        shop: answers.
        port: 0 for a free one.
        reflection: the version of it that is served.
        tls: a certificate; without it there is no TLS.
        host: the address to listen at.
        clients_of: an authority; clients then need a certificate of it.
    """
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    handlers: Any = {"Get": grpc.unary_unary_rpc_method_handler(shop.get)}
    generic = [grpc.method_handlers_generic_handler("shop.v1.Shop", handlers)]
    if reflection:
        generic.append(_reflecting(reflection))
    server.add_generic_rpc_handlers(tuple(generic))
    address = f"{host}:{port}"
    if tls is None:
        port = server.add_insecure_port(address)
    else:
        pair = (tls.key.read_bytes(), tls.certificate.read_bytes())
        authorities = None if clients_of is None else clients_of.path.read_bytes()
        credentials = grpc.ssl_server_credentials([pair], authorities, clients_of is not None)
        port = server.add_secure_port(address, credentials)
    await server.start()
    return server, port


def _reflecting(version: str) -> Any:
    """Returns what serves reflection, of which the versions differ by their names alone."""
    pool = DescriptorPool()
    for file in (descriptor_pb2, http_pb2, annotations_pb2, any_pb2):
        pool.AddSerializedFile(file.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(shop_file().SerializeToString())
    name = f"grpc.reflection.{version}.ServerReflection"
    servicer: Any = aio.ReflectionServicer([name, "shop.v1.Shop"], pool=pool)
    handler: Any = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler})
