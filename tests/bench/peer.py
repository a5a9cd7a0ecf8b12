"""The filters by which Envoy does one thing that a Transcoder does: either gRPC-Web or JSON.

Follows the v3 API of www.envoyproxy.io.
"""

import base64
from typing import Final

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tests.support.envoy import JSON, TYPES

_HTTP: Final = f"{TYPES}.filters.http"

GRPC_WEB: Final[JSON] = {
    "name": "envoy.filters.http.grpc_web",
    "typed_config": {"@type": f"{_HTTP}.grpc_web.v3.GrpcWeb"},
}


def json_transcoder(file: FileDescriptor) -> JSON:
    """Returns the filter that serves a file's services, by their google.api.http rules or names."""
    files: dict[str, FileDescriptor] = {}
    _add_imports_first(file, files)
    described = FileDescriptorSet()
    for file in files.values():
        file.CopyToProto(described.file.add())
    return {
        "name": "envoy.filters.http.grpc_json_transcoder",
        "typed_config": {
            "@type": f"{_HTTP}.grpc_json_transcoder.v3.GrpcJsonTranscoder",
            "proto_descriptor_bin": base64.b64encode(described.SerializeToString()).decode("ascii"),
            "services": [service.full_name for service in file.services_by_name.values()],
            "auto_mapping": True,
        },
    }


def _add_imports_first(file: FileDescriptor, files: dict[str, FileDescriptor]) -> None:
    if file.name in files:
        return
    for imported in file.dependencies:
        _add_imports_first(imported, files)
    files[file.name] = file
