"""Which protocol a request is given to; a protocol of the test's own says hello."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

import aiohttp
import pytest

from tests.support.tables import cases
from transcoder import dispatch
from transcoder.backends.inprocess import InProcess
from transcoder.codec.codec import Codec
from transcoder.dispatch import Dispatcher
from transcoder.errors import TranscodeError, malformed
from transcoder.http.body import JSON_TYPE, BodyReader
from transcoder.http.ceiling import Ceiling
from transcoder.http.cors import Cors
from transcoder.http.exchange import Exchange, ExchangeOptions
from transcoder.http.offload import Offload
from transcoder.http.plain import PlainRoutes
from transcoder.http.response import Responses
from transcoder.http.server import Listener
from transcoder.http.unserved_paths import UnservedPaths
from transcoder.options import EventOptions, JsonOptions, Limits
from transcoder.protocols.json_errors import JsonErrors
from transcoder.protocols.protocol import WholeAnswer
from transcoder.protocols.rest import Rest
from transcoder.protocols.rest_requests import StreamReaders
from transcoder.protocols.rest_streams import RestStreams
from transcoder.protocols.stream_formats import StreamFormats
from transcoder.protocols.unrouted import Unrouted
from transcoder.registry import Registry, Route
from transcoder.routing.router import NewRoute
from transcoder.tasks import Tasks

HELLO_TYPE: Final = "application/x-hello"
VERSION: Final = "hello-protocol-version"


class Hello:
    """Takes its own content type; JSON, and requests without a body, by a header."""

    has_content_coding: Final = False

    def forms(self, route: NewRoute[Route]) -> Sequence[str]:
        return ("hello",)

    def __init__(self) -> None:
        self.asked: list[str] = []

    def reads(self, content_type: str) -> bool:
        self.asked.append(content_type)
        return content_type in (HELLO_TYPE, JSON_TYPE, "")

    def takes(self, exchange: Exchange) -> bool:
        return exchange.headers.get("Content-Type") == HELLO_TYPE or VERSION in exchange.headers

    async def answer(self, exchange: Exchange) -> WholeAnswer:
        match exchange.path:
            case "/refused":
                raise malformed("no hello")
            case "/failed":
                raise RuntimeError("secret")
        return 200, b"hello"

    def refusal(self, exchange: Exchange, error: TranscodeError) -> WholeAnswer:
        return 418, error.message.encode()

    def failure(self, exchange: Exchange, error: TranscodeError) -> WholeAnswer:
        return 200, f"failed: {error.code.name}".encode()


@pytest.fixture
def hello() -> Hello:
    return Hello()


@pytest.fixture
async def client(hello: Hello) -> AsyncIterator[aiohttp.ClientSession]:
    """Asks a listener that speaks REST, without a service, and `hello`."""
    limits, offload, cors, tasks = Limits(), Offload(), Cors(()), Tasks()
    codec = Codec(JsonOptions(), nesting_max=limits.nesting_max, strict=False)
    registry = Registry(codec, config=None, strict=False)
    ceiling = Ceiling(max_bytes=limits.bodies_max_bytes, small_bytes=limits.inline_max_bytes)
    backend = InProcess((), tasks=tasks)
    errors = JsonErrors(codec, has_envelope=False)
    streams = RestStreams(
        backend,
        errors,
        StreamFormats(EventOptions(), has_error_envelope=False),
        offload=offload,
        inline_max_bytes=limits.inline_max_bytes,
        heartbeat_s=1.0,
        has_compression=False,
    )
    rest = Rest(
        registry,
        backend,
        errors,
        streams,
        bodies=BodyReader(limits, offload, ceiling),
        readers=StreamReaders(limits, offload, ceiling),
        cors=cors,
        offload=offload,
        inline_max_bytes=limits.inline_max_bytes,
        unrouted=Unrouted(
            registry.methods, plain=PlainRoutes(limits, ceiling), unserved=UnservedPaths("")
        ).answer,
    )
    options = ExchangeOptions(
        cors=cors, responses=Responses([]), forward_cookies=False, body_timeout_s=5
    )
    dispatcher = Dispatcher(
        [hello], rest, options=options, compress_min_bytes=1 << 20, offload=offload, tasks=tasks
    )
    listener = Listener(dispatcher.answer, dispatcher.refuse, limits=limits, tasks=tasks)
    base = f"http://{await listener.start('127.0.0.1:0')}"
    async with aiohttp.ClientSession(base, skip_auto_headers=["Content-Type"]) as session:
        yield session
    await listener.stop()
    offload.close()


async def ask(
    client: aiohttp.ClientSession, headers: dict[str, str], *, verb: str = "POST", path: str = "/"
) -> tuple[int, str]:
    async with client.request(verb, path, headers=headers) as answer:
        return answer.status, await answer.text()


NOT_FOUND: Final = (404, '{"code":5,"message":"Not Found"}')


@cases(
    "verb, headers, expected",
    {
        "its content type": ("POST", {"Content-Type": HELLO_TYPE}, (200, "hello")),
        "JSON, its header": ("POST", {"Content-Type": JSON_TYPE, VERSION: "1"}, (200, "hello")),
        "no content type, its header": ("GET", {VERSION: "1"}, (200, "hello")),
        "JSON": ("POST", {"Content-Type": JSON_TYPE}, NOT_FOUND),
        "no content type": ("GET", {}, NOT_FOUND),
        "unread, its header": ("POST", {"Content-Type": "text/plain", VERSION: "1"}, NOT_FOUND),
    },
)
async def test_a_protocol_answers_what_it_takes_and_rest_all_else(
    client: aiohttp.ClientSession, verb: str, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    assert await ask(client, headers, verb=verb) == expected


@cases(
    "path, expected",
    {"refusal": ("/refused", (418, "no hello")), "failure": ("/failed", (200, "failed: INTERNAL"))},
)
async def test_a_failure_is_answered_in_the_protocol_of_the_request(
    client: aiohttp.ClientSession, path: str, expected: tuple[int, str]
) -> None:
    assert await ask(client, {"Content-Type": HELLO_TYPE}, path=path) == expected


async def test_a_protocol_is_asked_once_about_a_content_type(
    client: aiohttp.ClientSession, hello: Hello
) -> None:
    for content_type in (HELLO_TYPE, JSON_TYPE, HELLO_TYPE, JSON_TYPE):
        await ask(client, {"Content-Type": content_type})
    assert hello.asked == [HELLO_TYPE, JSON_TYPE]


async def test_made_up_content_types_are_not_all_remembered(
    client: aiohttp.ClientSession, hello: Hello
) -> None:
    made_up = [f"text/{number}" for number in range(dispatch.CONTENT_TYPES_MAX + 1)]
    for content_type in (*made_up, made_up[0]):
        await ask(client, {"Content-Type": content_type})
    assert hello.asked == [*made_up, made_up[0]]
