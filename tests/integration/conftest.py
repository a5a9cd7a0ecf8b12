"""Clients that tests of all protocols share."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest
from google.protobuf.descriptor import FileDescriptor

from tests.support.api_client import PROTOCOLS
from tests.support.web_clients import NODE_CLIENTS, descriptor_set, installed_node

CALL_TIMEOUT_S = 30


@pytest.fixture(params=PROTOCOLS)
def protocol(request: pytest.FixtureRequest) -> str:
    """Runs a test over each protocol, or over those that the test is parametrized with."""
    return str(request.param)


class ConnectWeb(Protocol):
    """One unary call with connect-web, in Node; the outcome as connect_web.mjs prints it."""

    async def __call__(
        self,
        address: str,
        method: str,
        request: Mapping[str, Any],
        *,
        files: Iterable[FileDescriptor],
        headers: Mapping[str, str] | None = None,
        timeout_ms: int | None = None,
    ) -> dict[str, Any]:
        """Call a method.

        Args:
            address: "host:port" of the server.
            method: "/package.Service/Method".
            request: the message, as JSON.
            files: where the service is, and the types of its error details.
            headers: sent besides the client's own.
            timeout_ms: the client's deadline; it sends it as grpc-timeout.
        """
        ...


@pytest.fixture(scope="session")
def node() -> str:
    return installed_node()


@pytest.fixture
def connect_web(node: str, tmp_path: Path) -> ConnectWeb:
    async def call(
        address: str,
        method: str,
        request: Mapping[str, Any],
        *,
        files: Iterable[FileDescriptor],
        headers: Mapping[str, str] | None = None,
        timeout_ms: int | None = None,
    ) -> dict[str, Any]:
        types = tmp_path / "types.binpb"
        types.write_bytes(descriptor_set(files))
        asked: dict[str, Any] = {
            "base_url": f"http://{address}",
            "descriptor_set": str(types),
            "method": method,
            "request": request,
            "headers": dict(headers or {}),
        }
        if timeout_ms is not None:
            asked["timeout_ms"] = timeout_ms
        process = await asyncio.create_subprocess_exec(
            node,
            str(NODE_CLIENTS / "connect_web.mjs"),
            json.dumps(asked),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, err.decode()
        outcome: dict[str, Any] = json.loads(out)
        return outcome

    return call
