"""gRPC-Web over real sockets: by connect-web, and by bytes that no client would send."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import grpc
import pytest
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf import any_pb2, empty_pb2
from google.rpc import error_details_pb2, status_pb2

from transcoder import Limits, Transcoder

ConnectWeb = Callable[..., Awaitable[dict[str, Any]]]

GET = "/google.longrunning.Operations/GetOperation"
FILES = [operations_pb2.DESCRIPTOR, error_details_pb2.DESCRIPTOR]
TYPE = {"Content-Type": "application/grpc-web+proto"}
WAIT_S = 10
# GetOperationRequest(name="operations/a"), framed; the answer repeats the name and says done.
ASKED = b"\x00\x00\x00\x00\x0e\x0a\x0coperations/a"
ANSWERED = b"\x00\x00\x00\x00\x10\x0a\x0coperations/a\x18\x01"
OK = b"\x80\x00\x00\x00\x0fgrpc-status:0\r\n"


class Operations(operations_pb2_grpc.OperationsServicer):  # type: ignore[misc]  # untyped
    """google.longrunning.Operations; the last segment of a name says what happens."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.started = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def GetOperation(self, request: Any, context: Any) -> Any:
        self.seen.append(request)
        case = request.name.rpartition("/")[2]
        if case == "rich":
            detail = any_pb2.Any()
            detail.Pack(error_details_pb2.ErrorInfo(reason="BUSY", domain="größer"))
            status = status_pb2.Status(code=9, message="zu groß: 100%", details=[detail])
            await context.abort(
                grpc.StatusCode.FAILED_PRECONDITION,
                "zu groß: 100%",
                (("grpc-status-details-bin", status.SerializeToString()), ("x-left", "1")),
            )
        if case == "raises":
            raise ValueError("secret")
        if case == "waits":
            self.started.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        if case == "metadata":
            await context.send_initial_metadata((("x-first", "1"), ("x-first-bin", b"\x00\xff")))
            context.set_trailing_metadata((("x-last", "2"), ("x-bad", "a\r\ngrpc-status: 13")))
        return operations_pb2.Operation(name=request.name, done=True)

    async def CancelOperation(self, request: Any, context: Any) -> Any:
        self.seen.append(request)
        return empty_pb2.Empty()


@dataclass
class Server:
    address: str
    servicer: Operations

    @property
    def url(self) -> str:
        return f"http://{self.address}"


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[Server]:
    transcoder: Any = Transcoder(**options)
    servicer = Operations()
    operations_pb2_grpc.add_OperationsServicer_to_server(servicer, transcoder)
    try:
        yield Server(await transcoder.start("127.0.0.1:0"), servicer)
    finally:
        await transcoder.stop()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as running:
        yield running


async def post(
    server: Server, body: bytes, path: str = GET, **headers: str
) -> tuple[int, str | None, bytes]:
    named = TYPE | {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        aiohttp.ClientSession() as session,
        session.post(server.url + path, data=body, headers=named) as answer,
    ):
        return answer.status, answer.headers.get("Content-Type"), await answer.read()


# connect-web


async def test_connect_web_gets_the_message(server: Server, connect_web: ConnectWeb) -> None:
    outcome = await connect_web(server.address, GET, {"name": "operations/größer"}, files=FILES)
    assert outcome["message"] == {"name": "operations/größer", "done": True}
    assert outcome["trailers"] == {"grpc-status": "0"}


async def test_connect_web_gets_metadata(server: Server, connect_web: ConnectWeb) -> None:
    outcome = await connect_web(
        server.address,
        GET,
        {"name": "operations/metadata"},
        files=FILES,
        headers={"X-Request-Id": "r1"},
    )
    assert outcome["headers"]["x-first"] == "1"
    assert outcome["headers"]["x-first-bin"] == "AP8"
    assert outcome["headers"]["x-request-id"] == "r1"
    assert outcome["trailers"] == {"grpc-status": "0", "x-last": "2"}


async def test_connect_web_gets_an_error_with_its_details(
    server: Server, connect_web: ConnectWeb
) -> None:
    outcome = await connect_web(server.address, GET, {"name": "operations/rich"}, files=FILES)
    assert (outcome["code"], outcome["error"]) == (9, "zu groß: 100%")
    assert outcome["details"] == [
        {"type": "google.rpc.ErrorInfo", "value": {"reason": "BUSY", "domain": "größer"}}
    ]
    assert outcome["metadata"]["x-left"] == "1"


async def test_connect_web_shows_the_request_id_only_of_an_exception(
    server: Server, connect_web: ConnectWeb
) -> None:
    outcome = await connect_web(
        server.address,
        GET,
        {"name": "operations/raises"},
        files=FILES,
        headers={"X-Request-Id": "r1"},
    )
    assert (outcome["code"], outcome["error"]) == (13, "internal error (request id r1)")


async def test_connect_web_shows_that_a_method_is_not_served(
    server: Server, connect_web: ConnectWeb
) -> None:
    outcome = await connect_web(
        server.address,
        "/google.longrunning.Operations/WaitOperation",
        {"name": "operations/a"},
        files=FILES,
    )
    assert outcome["code"] == 12


async def test_a_deadline_of_connect_web_cancels_the_call(
    server: Server, connect_web: ConnectWeb
) -> None:
    outcome = await connect_web(
        server.address, GET, {"name": "operations/waits"}, files=FILES, timeout_ms=200
    )
    assert outcome["code"] == 4
    async with asyncio.timeout(WAIT_S):
        await server.servicer.cancelled.wait()


# Bytes


async def test_an_answer_is_a_message_and_a_trailer_frame(server: Server) -> None:
    assert await post(server, ASKED) == (200, "application/grpc-web+proto", ANSWERED + OK)


async def test_a_rest_path_takes_grpc_web_and_wins_over_the_message(server: Server) -> None:
    # CancelOperationRequest(name="overridden")
    body = b"\x00\x00\x00\x00\x0c\x0a\x0aoverridden"
    answer = await post(server, body, "/v1/operations/a:cancel")
    assert answer == (200, "application/grpc-web+proto", b"\x00\x00\x00\x00\x00" + OK)
    assert server.servicer.seen == [operations_pb2.CancelOperationRequest(name="operations/a")]


async def test_a_rest_path_with_another_method_is_405(server: Server) -> None:
    status, content_type, _ = await post(server, ASKED, "/v1/operations/a")
    assert (status, content_type) == (405, "text/plain; charset=utf-8")


@pytest.mark.parametrize("content_type", ["application/grpc", "application/json", "text/plain"])
async def test_a_method_with_rest_routes_takes_only_grpc_web_at_its_own_path(
    server: Server, content_type: str
) -> None:
    status, answered, body = await post(server, ASKED, Content_Type=content_type)
    assert (status, answered) == (415, "application/json")
    assert body == (
        b'{"code":3,"message":"content type \'%s\': expected application/grpc-web+proto"}'
        % content_type.encode()
    )
    assert server.servicer.seen == []


async def test_an_unknown_method_is_unimplemented(server: Server) -> None:
    status, content_type, body = await post(server, ASKED, "/no.Service/Method")
    assert (status, content_type) == (200, "application/grpc-web+proto")
    assert body[5:] == b"grpc-status:12\r\ngrpc-message:unknown method '/no.Service/Method'\r\n"


async def test_a_garbage_timeout_is_named(server: Server) -> None:
    _, _, body = await post(server, ASKED, grpc_timeout="1_0S")
    assert body[5:] == (
        b"grpc-status:3\r\ngrpc-message:header grpc-timeout: expected 1 to 8 digits and a unit "
        b"(H M S m u n), got '1_0S'\r\n"
    )


async def test_a_deadline_ends_the_call(server: Server) -> None:
    body = b"\x00\x00\x00\x00\x12\x0a\x10operations/waits"
    answer = await post(server, body, grpc_timeout="50m")
    assert answer[2][5:] == b"grpc-status:4\r\ngrpc-message:Deadline Exceeded\r\n"
    assert server.servicer.cancelled.is_set()


async def exchange(server: Server, *pieces: bytes) -> tuple[int, bytes]:
    """Write the pieces, each as a packet of its own, and give the answer's status and body."""
    host, _, port = server.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        async with asyncio.timeout(WAIT_S):
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines[1:-2])
            body = await reader.readexactly(int(headers["content-length"]))
            return int(lines[0].split(" ")[1]), body
    finally:
        writer.close()


def head(*headers: str) -> bytes:
    lines = [f"POST {GET} HTTP/1.1", "Host: x", f"Content-Type: {TYPE['Content-Type']}", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def message(answer: tuple[int, bytes]) -> bytes:
    """What an answer that is a trailer frame alone says."""
    status, body = answer
    assert (status, body[:1]) == (200, b"\x80")
    return body[5:]


async def test_a_declared_length_over_the_limit_is_refused_before_the_body_comes() -> None:
    async with serving(limits=Limits(message_max_bytes=1000)) as server:
        answer = await exchange(server, head("Content-Length: 1006"))
        assert message(answer) == (
            b"grpc-status:8\r\n"
            b"grpc-message:the request body is larger than the limit of 1005 bytes\r\n"
        )
        assert server.servicer.seen == []


async def test_a_chunked_body_is_refused_where_it_passes_the_limit() -> None:
    async with serving(limits=Limits(message_max_bytes=1000)) as server:
        chunk = b"5\r\n\x00\x00\x00\x03\xe9\r\n"
        answer = await exchange(server, head("Transfer-Encoding: chunked"), chunk)
        assert message(answer) == (
            b"grpc-status:8\r\n"
            b"grpc-message:a message of 1001 bytes is larger than the limit of 1000 bytes\r\n"
        )
        assert server.servicer.seen == []


async def test_a_body_that_does_not_come_ends_in_time() -> None:
    async with serving(limits=Limits(body_timeout_s=0.1)) as server:
        answer = await exchange(server, head("Content-Length: 19"), ASKED[:6])
        assert message(answer) == (
            b"grpc-status:4\r\ngrpc-message:the request body did not arrive within 0.1 s\r\n"
        )
        assert server.servicer.seen == []


async def test_a_chunk_that_is_not_one_reaches_no_handler(server: Server) -> None:
    status, _ = await exchange(server, head("Transfer-Encoding: chunked") + b"zz\r\n\x00\r\n")
    assert status == 400
    assert server.servicer.seen == []


async def test_a_client_that_asks_before_it_sends_is_invited(server: Server) -> None:
    host, _, port = server.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    length = f"Content-Length: {len(ASKED)}"
    writer.write(head("Expect: 100-continue", length, "Connection: close"))
    async with asyncio.timeout(WAIT_S):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(ASKED)
        assert (await reader.read()).endswith(ANSWERED + OK)
    writer.close()
    await writer.wait_closed()


async def test_a_client_that_leaves_cancels_its_call(server: Server) -> None:
    body = b"\x00\x00\x00\x00\x12\x0a\x10operations/waits"
    host, _, port = server.address.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(head(f"Content-Length: {len(body)}") + body)
    async with asyncio.timeout(WAIT_S):
        await server.servicer.started.wait()
        writer.transport.abort()
        await server.servicer.cancelled.wait()


# Browsers


async def test_a_page_of_a_listed_origin_may_call_and_read() -> None:
    origin = "http://localhost:5173"
    async with serving(cors_origins=[origin]) as server, aiohttp.ClientSession() as session:
        asked = {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type,x-grpc-web",
        }
        async with session.options(server.url + GET, headers=asked) as answer:
            assert answer.status == 204
            assert answer.headers.getall("Access-Control-Allow-Origin") == [origin]
            allowed = answer.headers["Access-Control-Allow-Headers"]
            assert allowed == "authorization, content-type, x-grpc-web"
        body = b"\x00\x00\x00\x00\x15\x0a\x13operations/metadata"
        headers = TYPE | {"Origin": origin}
        async with session.post(server.url + GET, data=body, headers=headers) as answer:
            assert answer.headers.getall("Access-Control-Allow-Origin") == [origin]
            exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
            assert {"grpc-status", "x-request-id", "x-first", "x-first-bin"} <= set(exposed)


async def test_a_page_of_another_origin_gets_no_cors_headers() -> None:
    async with (
        serving(cors_origins=["https://app.example"]) as server,
        aiohttp.ClientSession() as session,
    ):
        asked = {
            "Origin": "https://evil.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        }
        async with session.options(server.url + GET, headers=asked) as answer:
            names = [name for name in answer.headers if name.startswith("Access-Control-")]
            assert names == []
