"""The forms that the table of routes has are those that a client can call a route in, no others.

Each route of services with every kind of stream and body is called in every form.
"""

from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp
import grpc
import pytest
import pytest_asyncio
from google.api.httpbody_pb2 import HttpBody

from tests.proto import echo_pb2, files_pb2
from tests.support.grpc_frames import TRAILERS, framed, split_frame
from transcoder import ServedRoute, Transcoder
from transcoder.call import Method
from transcoder.registry import methods_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILE_TYPE: Final = "image/x-own"
FILE: Final = HttpBody(content_type=FILE_TYPE, data=b"\xff\xfe")
FORM: Final = b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\nfield\r\n--b--\r\n'


class Called:
    """Answers every method with one response.

    Attributes:
        requests: those of the last call, by the path of its method.
    """

    def __init__(self) -> None:
        self.requests: dict[str, list[Any]] = {}

    def handlers(self, service: str) -> dict[str, Any]:
        methods = methods_of(service).values()
        return {method.descriptor.name: self._handler(method) for method in methods}

    def _handler(self, method: Method) -> Any:
        of: Any = method.response_type
        response = FILE if of is HttpBody else of()
        if of is files_pb2.Held:
            response = of(file=FILE)

        async def got(given: Any) -> None:
            is_stream = method.client_streaming
            self.requests[method.path] = [each async for each in given] if is_stream else [given]

        async def answer(given: Any, _: Any) -> Any:
            await got(given)
            return response

        async def stream(given: Any, _: Any) -> Any:
            await got(given)
            yield response

        make: Any = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[method.client_streaming, method.server_streaming]
        serializers = method.request_type.FromString, of.SerializeToString
        return make(stream if method.server_streaming else answer, *serializers)


class Caller:
    """Calls one route in one form after the other."""

    def __init__(self, client: aiohttp.ClientSession, called: Called, route: ServedRoute) -> None:
        self._client = client
        self._called = called
        self._verb = route.verb
        self._path = route.path.replace("{size}", "1").replace("{name}", "n")
        [self._method] = [
            method
            for path, method in methods_of(route.method[1:].partition("/")[0]).items()
            if path == route.method
        ]

    async def forms(self) -> set[str]:
        """Returns the forms in which the route is served."""
        ways = {
            "JSON": self._by_json,
            "NDJSON": self._by_lines,
            "SSE": self._by_events,
            "HttpBody": self._by_http_body,
            "multipart": self._by_form,
            "gRPC-Web": self._by_grpcweb,
            "WebSocket": self._by_websocket,
            "Connect": self._by_connect,
        }
        return {form for form, is_served in ways.items() if await is_served()}

    async def _send(
        self, body: bytes, content_type: str, **headers: str
    ) -> tuple[str, bytes, list[Any]]:
        """Returns the type and the body of an answer, and the requests that the handler got."""
        self._called.requests.clear()
        sent = {"Content-Type": content_type}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._client.request(self._verb, self._path, data=body, headers=sent) as answer:
            content = await answer.read()
        requests = self._called.requests.get(self._method.path, [])
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        return kind if answer.status == 200 and requests else "", content, requests

    async def _gets(self, media_type: str) -> bool:
        """True if an answer has a type, of a request in JSON or with the bytes of a file."""
        json = b"[{}]" if self._method.client_streaming else b"{}"
        given = {"application/json": json, FILE_TYPE: FILE.data}
        answers = [await self._send(body, of, Accept=media_type) for of, body in given.items()]
        return media_type in [kind for kind, _, _ in answers]

    async def _by_json(self) -> bool:
        return await self._gets("application/json")

    async def _by_lines(self) -> bool:
        _, _, requests = await self._send(b"{}\n{}\n", "application/x-ndjson")
        return await self._gets("application/x-ndjson") or len(requests) == 2

    async def _by_events(self) -> bool:
        return await self._gets("text/event-stream")

    async def _by_http_body(self) -> bool:
        _, _, requests = await self._send(FILE.data, FILE_TYPE)
        is_read = any(FILE.data in each.SerializeToString() for each in requests)
        return await self._gets(FILE_TYPE) or is_read

    async def _by_form(self) -> bool:
        _, _, requests = await self._send(FORM, "multipart/form-data; boundary=b")
        filled = (each.SerializeToString() for each in requests)
        return any(b"field" in each and b"--b" not in each for each in filled)

    async def _by_grpcweb(self) -> bool:
        kind, rest, _ = await self._send(framed(b""), "application/grpc-web+proto")
        flags = 0
        while kind == "application/grpc-web+proto" and rest:
            flags, payload, rest = split_frame(rest)
        return flags == TRAILERS and payload.startswith(b"grpc-status:0")

    async def _by_websocket(self) -> bool:
        self._called.requests.clear()
        try:
            socket = await self._client.ws_connect(self._path)
        except aiohttp.WSServerHandshakeError:
            return False
        async with socket:
            await socket.send_json({})
            await socket.send_str("")
            said = [frame.json() async for frame in socket]
        return said[-1]["status"]["code"] == 0 and self._method.path in self._called.requests

    async def _by_connect(self) -> bool:
        is_unary = self._method.is_unary
        sent = "application/proto" if is_unary else "application/connect+proto"
        body = b"" if is_unary else framed(b"")
        kind, _, _ = await self._send(body, sent, Connect_Protocol_Version="1")
        return kind == sent


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def called() -> Called:
    return Called()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def transcoder(called: Called) -> AsyncIterator[Transcoder]:
    made = Transcoder()
    for file in (echo_pb2, files_pb2):
        [service] = file.DESCRIPTOR.services_by_name
        name = f"{file.DESCRIPTOR.package}.{service}"
        made.register(name, called.handlers(name), prefix="/p")
    yield made
    await made.stop()


async def test_each_route_is_served_in_the_forms_it_tells_and_no_others(
    transcoder: Transcoder, called: Called
) -> None:
    address = await transcoder.start("127.0.0.1:0")
    routes = transcoder.routes()
    assert len(routes) == 28
    async with aiohttp.ClientSession(f"http://{address}") as client:
        found = {
            (route.verb, route.path): await Caller(client, called, route).forms()
            for route in routes
        }
    assert found == {(route.verb, route.path): set(route.forms) for route in routes}
