"""The transcoder as an ASGI application, below a prefix of FastAPI's, in real hosts."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from fastapi import FastAPI
from yarl import URL

from tests.proto import echo_pb2_grpc, files_pb2_grpc
from tests.proto.echo_pb2 import CASE_ENDLESS, CASE_ERROR, CASE_WAIT, EchoReply, EchoRequest
from tests.support import remote_shop
from tests.support.asgi_hosts import HOSTS
from tests.support.connections import opened
from tests.support.files_fixture import Files, content
from tests.support.grpc_frames import split_frame
from tests.support.grpcweb_by_hand import asked
from tests.support.grpcweb_fixture import REPEAT, SAY, TALK, Echo
from tests.support.tables import cases
from transcoder import Limits, OpenApi, Transcoder

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMITS = Limits(body_max_bytes=1000)
IMPATIENT = Limits(body_timeout_s=0.5, write_timeout_s=0.5)
ORIGIN = "https://app.example"


@dataclass(frozen=True)
class Hosted:
    """FastAPI in a host: a route of its own at /own, the transcoder below /api.

    Below /impatient is another one with the same servicer, whose lifespan nobody runs.
    """

    address: str
    servicer: Echo
    session: aiohttp.ClientSession

    def url(self, path: str) -> URL:
        return URL(f"http://{self.address}{path}", encoded=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=HOSTS)
async def hosted(request: pytest.FixtureRequest) -> AsyncIterator[Hosted]:
    transcoder: Any = Transcoder(limits=LIMITS, cors_origins=[ORIGIN], openapi=OpenApi())
    servicer = Echo()
    echo_pb2_grpc.add_EchoServicer_to_server(servicer, transcoder)
    files_pb2_grpc.add_FilesServicer_to_server(Files(), transcoder)
    api = transcoder.asgi()
    application = FastAPI(lifespan=api.lifespan)

    @application.get("/own")
    async def own() -> str:
        return "FastAPI's"

    application.mount("/api", api)
    impatient: Any = Transcoder(limits=IMPATIENT)
    echo_pb2_grpc.add_EchoServicer_to_server(servicer, impatient)
    application.mount("/impatient", impatient.asgi())
    async with HOSTS[request.param](application) as address, aiohttp.ClientSession() as session:
        yield Hosted(address, servicer, session)


@cases(
    "target, status",
    {
        "the application's own": ("/own", 200),
        "health": ("/api/healthz", 200),
        "readiness": ("/api/readyz", 200),
        "the document": ("/api/openapi.json", 200),
        "no route": ("/api/nothing", 404),
        "the prefix alone": ("/api/", 404),
        "a route": ("/api/v1/files/3", 200),
        "an escaped prefix": ("/%61%70i/v1/files/3", 200),
        "a query": ("/api/v1/files/3?content_type=a/b", 200),
        "an escaped slash behind the prefix": ("/api%2Fv1/files/3", 400),
    },
)
async def test_a_path_below_the_prefix_is_the_transcoders(
    hosted: Hosted, target: str, status: int
) -> None:
    async with hosted.session.get(hosted.url(target)) as answer:
        assert answer.status == status


async def test_a_preflight_is_answered_and_a_foreign_page_refused(hosted: Hosted) -> None:
    url = hosted.url(f"/api{SAY}")
    asks = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    async with hosted.session.options(url, headers=asks) as answer:
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, ORIGIN)
    foreign = {"Origin": "https://other.example"}
    async with hosted.session.post(url, json={}, headers=foreign) as answer:
        assert (answer.status, (await answer.json())["code"]) == (403, 7)


async def test_text_mode_of_grpcweb_is_answered(hosted: Hosted) -> None:
    headers = {"Content-Type": "application/grpc-web-text", "Accept": "application/grpc-web-text"}
    body = base64.b64encode(asked(name="n"))
    async with hosted.session.post(hosted.url(f"/api{SAY}"), data=body, headers=headers) as answer:
        _, message, _ = split_frame(base64.b64decode((await answer.read())[:20]))
    assert EchoReply.FromString(message) == EchoReply(name="n", index=1)


async def test_files_pass_both_ways_and_are_larger_than_messages(hosted: Hosted) -> None:
    sent = content(300_000)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(sent), 50_000):
            yield sent[start : start + 50_000]

    url = hosted.url("/api/v1/echo")
    async with hosted.session.post(url, data=pieces(), headers={"Content-Type": "a/b"}) as answer:
        assert (answer.headers["Content-Type"], await answer.read()) == ("a/b", sent)
    async with hosted.session.head(hosted.url("/api/v1/files/300000")) as answer:
        assert (answer.content_length, await answer.read()) == (300_000, b"")


@cases(
    "chunks, status",
    {
        "a length that is too large": ([b"x" * 2000], 413),
        "pieces that become too large": ([b" " * 600, b" " * 600], 413),
        "just small enough": ([b" " * 900, b'{"name": "n"}'], 200),
    },
)
async def test_a_body_has_a_limit(hosted: Hosted, chunks: list[bytes], status: int) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    data: Any = chunks[0] if len(chunks) == 1 else pieces()
    async with hosted.session.post(
        hosted.url(f"/api{SAY}"), data=data, headers={"Content-Type": "application/json"}
    ) as answer:
        assert answer.status == status


async def test_a_body_that_does_not_come_is_refused(hosted: Hosted) -> None:
    head = f"POST /impatient{SAY} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n".encode()
    async with opened(hosted.address) as (reader, writer), asyncio.timeout(30):
        writer.write(head + b"{")
        assert (await reader.readline()).split()[1] == b"408"


async def test_the_body_is_asked_for_before_it_is_sent(hosted: Hosted) -> None:
    head = (
        f"POST /api{SAY} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    )
    async with opened(hosted.address) as (reader, writer), asyncio.timeout(30):
        writer.write(head.encode())
        assert (await reader.readuntil(b"\r\n\r\n")).split()[1] == b"100"
        writer.write(b"{}")
        assert (await reader.readline()).split()[1] == b"200"


async def test_an_array_whose_call_fails_does_not_look_whole(hosted: Hosted) -> None:
    said = {"name": "n", "count": 2, "case": CASE_ERROR}
    headers = {"Accept": "application/json"}
    url = hosted.url(f"/api{REPEAT}")
    async with hosted.session.post(url, json=said, headers=headers) as answer:
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


async def test_both_directions_stream_at_once(hosted: Hosted) -> None:
    sent: asyncio.Queue[bytes] = asyncio.Queue()

    async def body() -> AsyncIterator[bytes]:
        while line := await sent.get():
            yield line

    headers = {"Content-Type": "application/x-ndjson"}
    sent.put_nowait(b'{"name":"a"}\n')
    url = hosted.url(f"/api{TALK}")
    async with (
        asyncio.timeout(30),
        hosted.session.post(url, data=body(), headers=headers) as answer,
    ):
        assert await answer.content.readline() == b'{"result":{"name":"a","index":1}}\n'
        sent.put_nowait(b'{"name":"b"}\n')
        assert await answer.content.readline() == b'{"result":{"name":"b","index":1}}\n'
        sent.put_nowait(b"")
        assert await answer.read() == b""


async def test_a_client_that_does_not_read_makes_the_handler_wait_and_is_given_up(
    hosted: Hosted,
) -> None:
    body = b'{"name":"unread","case":%d,"size":60000}' % CASE_ENDLESS
    head = (
        f"POST /impatient{REPEAT} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Accept: application/x-ndjson\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    async with opened(hosted.address) as (_reader, writer), asyncio.timeout(30):
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # of a socket
        writer.write(head.encode() + body)
        await hosted.servicer.cancelled["unread"].wait()
    assert hosted.servicer.sent["unread"] < 1000


async def test_a_client_that_leaves_while_nothing_is_sent_ends_its_call(hosted: Hosted) -> None:
    said = {"name": "leaves", "count": 1, "case": CASE_WAIT}
    async with asyncio.timeout(30):
        async with hosted.session.post(hosted.url(f"/api{REPEAT}"), json=said) as answer:
            await hosted.servicer.started["leaves"].wait()
            answer.close()
        await hosted.servicer.cancelled["leaves"].wait()


async def test_a_websocket_opens_with_its_subprotocol_and_metadata(hosted: Hosted) -> None:
    protocols = ["other", "grpc-transcoder.v1+proto+metadata"]
    url = hosted.url(f"/api{REPEAT}")
    async with asyncio.timeout(30), hosted.session.ws_connect(url, protocols=protocols) as socket:
        assert socket.protocol == protocols[1]
        await socket.send_json({"x-a": "b"})
        await socket.send_bytes(EchoRequest(name="n", count=1).SerializeToString())
        assert await socket.receive_json() == {
            "headers": {"x-first": ["1"], "x-first-bin": ["AP8"]}
        }
        answer = EchoReply.FromString(await socket.receive_bytes())
        assert answer == EchoReply(name="n", index=1)
        assert (await socket.receive_json())["status"] == {"code": 0}
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 1000


@cases(
    "path, headers, status",
    {
        "a foreign page": (f"/api{SAY}", {"Origin": "https://other.example"}, 403),
        "no method": ("/api/nothing", {}, 404),
        "an unknown subprotocol": (f"/api{SAY}", {"Sec-WebSocket-Protocol": "other"}, 400),
    },
)
async def test_a_handshake_is_refused_over_http(
    hosted: Hosted, path: str, headers: dict[str, str], status: int
) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await hosted.session.ws_connect(hosted.url(path), headers=headers)
    assert refused.value.status == status


@cases(
    "messages, code",
    {
        "too large": ([" " * 2000], 1009),
        "a message too many": ([f'{{"case":{CASE_WAIT}}}', "{}"], 4003),
        "no JSON": (["{"], 4003),
    },
)
async def test_messages_that_cannot_be_taken_end_the_call(
    hosted: Hosted, messages: list[str], code: int
) -> None:
    async with asyncio.timeout(30), hosted.session.ws_connect(hosted.url(f"/api{SAY}")) as socket:
        for message in messages:
            await socket.send_str(message)
        received = [each async for each in socket]
    assert (socket.close_code, "status" in received[-1].json()) == (code, True)


async def test_a_websocket_that_is_not_read_makes_the_handler_wait_and_is_given_up(
    hosted: Hosted,
) -> None:
    said = {"name": "unread socket", "case": CASE_ENDLESS, "size": 60000}
    async with (
        asyncio.timeout(30),
        hosted.session.ws_connect(hosted.url(f"/impatient{REPEAT}"), max_msg_size=0) as socket,
    ):
        await socket.send_json(said)
        await hosted.servicer.cancelled["unread socket"].wait()
    assert hosted.servicer.sent["unread socket"] < 1000


async def test_a_server_behind_the_application_is_asked_when_the_lifespan_starts() -> None:
    server, port = await remote_shop.serving(remote_shop.Shop(), reflection="v1")
    api = Transcoder.proxy(f"127.0.0.1:{port}").asgi()
    application = FastAPI(lifespan=api.lifespan)
    application.mount("/api", api)
    try:
        async with HOSTS["uvicorn"](application) as address, aiohttp.ClientSession() as session:
            url = f"http://{address}/api"

            async def is_ready() -> bool:
                async with session.get(f"{url}/readyz") as answer:
                    return answer.status == 200

            async with asyncio.timeout(30):
                while not await is_ready():
                    await asyncio.sleep(0.02)
            async with session.get(f"{url}/v1/items/pen") as answer:
                assert await answer.json() == {"name": "pen"}
    finally:
        await server.stop(None)


@pytest.mark.parametrize("host", ["uvicorn", "hypercorn"])  # granian waits for the stream to end
async def test_a_host_that_stops_ends_a_stream_as_its_format_does(host: str) -> None:
    transcoder: Any = Transcoder(limits=Limits(drain_timeout_s=0.5))
    servicer = Echo()
    echo_pb2_grpc.add_EchoServicer_to_server(servicer, transcoder)
    headers = {"Accept": "application/x-ndjson"}
    said = {"name": "n", "count": 1, "case": CASE_WAIT}
    async with contextlib.AsyncExitStack() as stack, aiohttp.ClientSession() as session:
        address = await stack.enter_async_context(HOSTS[host](transcoder.asgi()))
        url = f"http://{address}{REPEAT}"
        async with session.post(url, json=said, headers=headers) as answer:
            await answer.content.readline()
            stopping = asyncio.create_task(stack.aclose())
            rest = (await answer.read()).decode()
            await stopping
    assert rest == '{"error":{"code":14,"message":"the server is stopping"}}\n'
    assert servicer.cancelled["n"].is_set()
