"""Envoy in front of the service names its clients, by X-Forwarded-For and by the PROXY protocol."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Literal

import aiohttp
import grpc
import pytest
from structlog.testing import capture_logs

from tests.support.composition import running
from tests.support.envoy import start_envoy
from tests.support.tables import cases
from zitadel import management_pb2, management_pb2_grpc

pytestmark = pytest.mark.timeout(180)  # Envoy takes its time to start on a busy machine

SEARCH: Final = "/management/v1/flows/types/_search"
CLIENT: Final = "127.0.0.5"
"""An address of this machine, beside that from which Envoy calls."""
SPOOFED: Final = {"X-Forwarded-For": "192.0.2.66"}
TRUSTED: Final = ("127.0.0.1",)
DEADLINE_S: Final = 60.0


async def ask(address: str) -> None:
    connector = aiohttp.TCPConnector(local_addr=(CLIENT, 0))
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.post(f"http://{address}{SEARCH}", json={}, headers=SPOOFED) as answer,
    ):
        assert answer.status == 401  # without a token


async def ask_by_grpc(address: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = management_pb2_grpc.ManagementServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.ListFlowTypes(management_pb2.ListFlowTypesRequest(), timeout=DEADLINE_S)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


@cases(
    "envoy, settings",
    {
        "X-Forwarded-For": ({"adds_client": True}, {}),
        "PROXY protocol, version 1": ({"proxy_protocol": "V1"}, {"proxy_protocol": True}),
        "PROXY protocol, version 2": ({"proxy_protocol": "V2"}, {"proxy_protocol": True}),
    },
)
async def test_the_log_has_the_client_that_envoy_names(
    tmp_path: Path, envoy: Mapping[str, Any], settings: Mapping[str, Any]
) -> None:
    given = {"trusted_proxies": TRUSTED, "access_log": True, **settings}
    with capture_logs() as lines, ExitStack() as stack:
        async with running(tmp_path / "data", **given) as started:
            _, address = start_envoy(started.listen, folder=tmp_path, stack=stack, **envoy)
            await ask(address)
    (peer,) = (line["peer"] for line in lines if line["event"] == "call")
    assert peer.startswith(f"ipv4:{CLIENT}:")


@pytest.mark.parametrize("version", ["V1", "V2"])
async def test_grpc_comes_through_behind_a_header(
    tmp_path: Path, version: Literal["V1", "V2"]
) -> None:
    given = {"trusted_proxies": TRUSTED, "proxy_protocol": True, "grpc_listen": "none"}
    with ExitStack() as stack:
        async with running(tmp_path / "data", **given) as started:
            _, address = start_envoy(
                started.listen,
                folder=tmp_path,
                stack=stack,
                is_http2=True,
                proxy_protocol=version,
            )
            await ask_by_grpc(address)
