"""The access log names the client that a trusted proxy names, over each protocol."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.support.api_client import PROTOCOLS, ApiClient
from tests.support.composition import running
from tests.support.proxy_headers import binary, line, relay
from tests.support.tables import cases
from zitadel import management_pb2

SENT = {"x-forwarded-for": "198.51.100.1, 192.0.2.1, 127.0.0.2"}


HEADERS = {
    "version 1": (line(("203.0.113.9", 5000)), "ipv4:203.0.113.9:5000"),
    "version 2": (binary(("203.0.113.9", 5000)), "ipv4:203.0.113.9:5000"),
    "version 2, IPv6": (binary(("2001:db8::9", 5000)), "ipv6:[2001:db8::9]:5000"),
    "of another proxy": (binary(("127.0.0.9", 5000)), "ipv4:192.0.2.1:0"),
}


async def logged(data: Path, protocol: str, trusted: Sequence[str]) -> list[str]:
    """Returns the peers that the log has of one call."""
    settings: dict[str, Any] = {"trusted_proxies": tuple(trusted), "access_log": True}
    with capture_logs() as lines:  # until the end: grpc answers before the interceptors have ended
        async with (
            running(data, **settings) as started,
            ApiClient(http=started.listen, grpc=started.grpc_listen) as client,
        ):
            request = management_pb2.ListFlowTypesRequest()
            answer = await client.call(protocol, request, metadata=SENT)
    assert answer.code == 16  # without a token
    return [line["peer"] for line in lines if line["event"] == "call"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_the_client_of_a_trusted_proxy_is_logged(tmp_path: Path, protocol: str) -> None:
    assert await logged(tmp_path, protocol, ["127.0.0.0/8"]) == ["ipv4:192.0.2.1:0"]


@cases("trusted", {"others are": ["192.0.2.0/24", "unix"], "none is": []})
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_who_is_not_trusted_names_no_client(
    tmp_path: Path, protocol: str, trusted: Sequence[str]
) -> None:
    (peer,) = await logged(tmp_path, protocol, trusted)
    assert peer.startswith("ipv4:127.0.0.1:")
    assert not peer.endswith(":0")


@cases("header, expected", HEADERS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_the_client_of_a_proxy_of_tcp_is_logged(
    tmp_path: Path, protocol: str, header: bytes, expected: str
) -> None:
    settings: dict[str, Any] = {"trusted_proxies": ("127.0.0.0/8",), "access_log": True}
    with capture_logs() as lines:
        async with (
            running(tmp_path, proxy_protocol=True, grpc_listen="none", **settings) as started,
            relay(started.listen, header) as address,
            ApiClient(http=address, grpc=address) as client,
        ):
            request = management_pb2.ListFlowTypesRequest()
            answer = await client.call(protocol, request, metadata=SENT)
    assert answer.code == 16  # without a token
    assert [line["peer"] for line in lines if line["event"] == "call"] == [expected]
