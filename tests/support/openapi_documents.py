"""OpenAPI documents of services, without a server."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import google.api.http_pb2
from google.longrunning import operations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, text_format
from google.protobuf.descriptor_pool import DescriptorPool

from actions.v1 import admin_pb2, execution_pb2, secrets_pb2, versions_pb2
from tests.proto import awkward_pb2, echo_pb2, everything_pb2, files_pb2
from transcoder.codec.codec import Codec
from transcoder.openapi.document import Document, Part
from transcoder.options import JsonOptions, OpenApi
from transcoder.registry import Registry, methods_of
from transcoder.routing.service_config import ServiceConfig
from zitadel import admin_pb2 as zitadel_admin_pb2
from zitadel import management_pb2

_GOOGLE: Final = Path(google.api.http_pb2.__file__).parents[2]

FILES: Final = (
    *(awkward_pb2, echo_pb2, everything_pb2, files_pb2, operations_pb2),
    *(admin_pb2, execution_pb2, management_pb2, secrets_pb2, versions_pb2, zitadel_admin_pb2),
)
SERVICES: Final = tuple(
    service.full_name for file in FILES for service in file.DESCRIPTOR.services_by_name.values()
)


def document_of(
    *services: str,
    prefix: str = "",
    options: OpenApi = OpenApi(),  # noqa: B008  frozen
    json: JsonOptions = JsonOptions(),  # noqa: B008  frozen
    config: bytes | None = None,
    pool: DescriptorPool | None = None,
    part: Part = Part(),  # noqa: B008  frozen
) -> dict[str, Any]:
    """Returns the document of all methods of services, of `SERVICES` or of another file."""
    document = Document(options, json)
    configured = None if config is None else ServiceConfig(config)
    registry = Registry(Codec(json), config=configured, strict=False)
    for service in services:
        registry.add(methods_of(service, pool), prefix=prefix)
    document.show(registry.served.routes)
    return document.content(part)


def add_file(text: str) -> None:
    """Adds a FileDescriptorProto, in text format, to the pool that generated code fills."""
    file = text_format.Parse(text, descriptor_pb2.FileDescriptorProto())
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())


def protoc(folder: Path, files: Mapping[str, str]) -> DescriptorPool:
    """Compiles .proto files, given by name, in a folder; no code of them is imported."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    places = (f"-I{folder}", f"-I{_GOOGLE}")
    out = folder / "all.binpb"
    flags = ("--include_imports", f"--descriptor_set_out={out}")
    command = [sys.executable, "-m", "grpc_tools.protoc", *places, *flags, *files]
    subprocess.run(command, check=True)
    pool = DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool
