"""docs/transcoding.md, "Streams": a test for each of its lines, over a real Transcoder."""

from dataclasses import dataclass

import aiohttp
from yarl import URL

from tests.proto.everything_pb2 import Everything
from tests.support.everything_fixture import Exchange, Row, refused, registered, run
from tests.support.tables import cases
from tests.support.transcoder_client import client_of
from transcoder import JsonOptions

LINES = "application/x-ndjson"
ARRAY = "application/json"
EVENTS = "text/event-stream"
# Watch answers `an_int32` times with its request, of which response_body is `part`; then it fails
# with NOT_FOUND if there is a `text`.
TWICE = "GET /v1/watch?an_int32=2&part.size=3"
GZIP = (("Content-Encoding", "gzip"), ("Vary", "Accept"))
GONE = '{"code":5,"message":"gone"}'


@dataclass(frozen=True, slots=True)
class Streamed:
    """A request, and the answer to it.

    Attributes:
        expected: the body.
        has: headers of the answer, among others.
    """

    request: str
    expected: str
    accept: str = LINES
    status: int = 200
    json: JsonOptions = JsonOptions()  # noqa: RUF009  frozen
    coding: str = "identity"
    has: tuple[tuple[str, str], ...] = ()
    is_cut: bool = False

    async def __call__(self) -> None:
        verb, _, target = self.request.partition(" ")
        headers = {"Accept": self.accept, "Accept-Encoding": self.coding}
        async with (
            client_of(registered(json=self.json)) as session,
            session.request(verb, URL(target, encoded=True), headers=headers) as answer,
        ):
            body = b""
            is_cut = False
            try:
                async for piece in answer.content.iter_any():
                    body += piece
            except aiohttp.ClientPayloadError:
                is_cut = True
            got = (answer.status, body.decode(), is_cut)
            assert got == (self.status, self.expected, self.is_cut), self.request
            for name, value in self.has:
                assert answer.headers[name] == value


@dataclass(frozen=True, slots=True)
class Socketed:
    """Messages that a WebSocket is sent, and all that it answers; then its close code."""

    path: str
    sent: tuple[str | bytes, ...]
    expected: tuple[str | bytes | int, ...]

    async def __call__(self) -> None:
        got: list[object] = []
        async with (
            client_of(registered()) as session,
            session.ws_connect(URL(self.path, encoded=True)) as client,
        ):
            for message in self.sent:
                if isinstance(message, str):
                    await client.send_str(message)
                else:
                    await client.send_bytes(message)
            got = [received.data async for received in client]
            assert (*got, client.close_code) == self.expected, self.path


BY_PATH = Everything(name="from the path", an_int32=1).SerializeToString()
DONE = '{"status":{"code":0}}'

ROWS = {
    "the form of a stream": (
        Streamed(TWICE, '{"result":{"size":3}}\n{"result":{"size":3}}\n', accept="*/*"),
        Streamed(TWICE, '{"result":{"size":3}}\n{"result":{"size":3}}\n'),
        Streamed(TWICE, '[{"size":3},{"size":3}]', ARRAY),
        Streamed(
            TWICE,
            'retry: 3000\n\ndata: {"size":3}\n\ndata: {"size":3}\n\nevent: end\ndata: {}\n\n',
            EVENTS,
            has=(("Content-Type", EVENTS), ("X-Accel-Buffering", "no")),
        ),
    ),
    "a stream of no message": (
        Streamed("GET /v1/watch?an_int32=-1", ""),
        Streamed("GET /v1/watch?an_int32=-1", "[]", ARRAY),
    ),
    "a failure before the first message": (
        Streamed("GET /v1/watch?an_int32=-1&text=gone", GONE, status=404),
        Streamed("GET /v1/watch?an_int32=-1&text=gone", GONE, EVENTS, status=404),
    ),
    "a failure after a message": (
        Streamed("GET /v1/watch?text=gone", f'{{"result":{{}}}}\n{{"error":{GONE}}}\n'),
        Streamed(
            "GET /v1/watch?text=gone",
            f"retry: 3000\n\ndata: {{}}\n\nevent: error\ndata: {GONE}\n\n",
            EVENTS,
        ),
        Streamed("GET /v1/watch?text=gone", "[{}", ARRAY, is_cut=True),
        Streamed(
            "GET /v1/watch?text=gone",
            '{"result":{}}\n{"error":{"code":404,"message":"gone","status":"NOT_FOUND"}}\n',
            json=JsonOptions(error_envelope=True),
        ),
    ),
    "HEAD of a stream": (Streamed("HEAD /v1/watch", "", has=(("Content-Type", LINES),)),),
    "messages of a stream": (
        Exchange("POST /v1/upload/x", {"name": "x", "aBool": True}, body='[{}, {"aBool": true}]'),
        Exchange(
            "POST /v1/upload/x",
            {"name": "x", "aBool": True},
            body='{}\n\n{"aBool": true}',
            content_type=LINES,
        ),
        refused(
            "POST /v1/upload/x",
            "content type 'text/plain': expected application/x-ndjson or application/json",
            status=415,
            body="{}",
            content_type="text/plain",
        ),
    ),
    "an invalid message in a stream": (
        refused(
            "POST /v1/upload/x", "message 2: aBool: expected bool, got 1", body='[{},{"aBool":1}]'
        ),
        refused("POST /v1/upload/x", "body: expected an array of messages, got '{}'", body="{}"),
        refused(
            "POST /v1/upload/x",
            "body: expected the rest of the array, got the end of the body",
            body="[{}",
        ),
    ),
    "compression of a stream": (
        Streamed(TWICE, '[{"size":3},{"size":3}]', ARRAY, coding="gzip", has=GZIP),
    ),
    "a WebSocket on the path of a method": (
        Socketed(
            "/v1/upload/x",
            ('{"aBool":true}', ""),
            ('{"result":{"name":"x","aBool":true}}', DONE, 1000),
        ),
        Socketed(
            "/v1/watch?an_int32=2&part.size=3",
            (),
            ('{"result":{"size":3}}', '{"result":{"size":3}}', DONE, 1000),
        ),
        Socketed("/v1/watch?text=gone", (), ('{"result":{}}', f'{{"status":{GONE}}}', 4005)),
        Socketed(
            "/v1/watch?an_int32=x",
            (),
            (
                '{"status":{"code":3,"message":'
                "\"query parameter 'an_int32': expected int32, got 'x'\"}}",
                4003,
            ),
        ),
        Socketed(
            "/v1/upload/x",
            ("{}", '{"aBool":1}'),
            ('{"status":{"code":3,"message":"message 2: aBool: expected bool, got 1"}}', 4003),
        ),
    ),
    "a WebSocket that sends protobuf": (
        Socketed(
            "/v1/upload/from%20the%20path",
            (Everything(name="y", an_int32=1).SerializeToString(), ""),
            (BY_PATH, DONE, 1000),
        ),
    ),
}


@cases("row", ROWS)
async def test_streams_are_as_documented(row: Row) -> None:
    await run(row)
