"""docs/transcoding.md, "Errors": a test for each of its lines, over a real Transcoder."""

import asyncio
from typing import Any

import grpc
import requests
from aiohttp import web
from google.api_core.exceptions import NotFound, from_http_response
from google.longrunning import operations_pb2

from tests.support.everything_fixture import Row, run
from tests.support.operations import Asked, mounted, serving
from tests.support.tables import cases
from transcoder import JsonOptions, Limits

GET = "GET /v1/operations/a"
CANCEL = "POST /v1/operations/a:cancel"
STATUSES = {
    1: 499,
    2: 500,
    3: 400,
    4: 504,
    5: 404,
    6: 409,
    7: 403,
    8: 429,
    9: 400,
    10: 409,
    11: 400,
    12: 501,
    13: 500,
    14: 503,
    15: 500,
    16: 401,
}
NO_DETAILS = {"Grpc-Status-Details-Bin": None, "Grpc-Trailer-Grpc-Status-Details-Bin": None}
RETRY = "type.googleapis.com/google.rpc.RetryInfo"
PLAIN = {"Content-Type": "text/plain; charset=utf-8"}
ENVELOPE: dict[str, Any] = {"json": JsonOptions(error_envelope=True)}
FORM = [("Content-Type", "application/x-www-form-urlencoded")]


def code(number: int, status: int) -> Asked:
    answer = {"code": number, "message": "so it is"}
    said = {"WWW-Authenticate": "Bearer" if status == 401 else None}
    return Asked(f"GET /v1/operations/code-{number}", status=status, answer=answer, said=said)


def refused(
    request: str,
    status: int,
    code: int,
    message: str,
    *headers: tuple[str, str],
    body: str | None = None,
    said: dict[str, str | None] | None = None,
    **options: Any,
) -> Asked:
    answer = {"code": code, "message": message}
    said = {"Content-Type": "application/json", **(said or {})}
    return Asked(request, headers, body, status, answer, said, options)


class Stamp(grpc.aio.ServerInterceptor):
    """Answers every call with its own word."""

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        async def stamp(request: Any, context: Any) -> Any:
            return operations_pb2.Operation(name="stamped")

        handler = await continuation(details)
        return grpc.unary_unary_rpc_method_handler(
            stamp, handler.request_deserializer, handler.response_serializer
        )


def host() -> web.Application:
    """Makes an application that has a route and a middleware of its own."""

    @web.middleware
    async def tag(request: web.Request, handler: Any) -> web.StreamResponse:
        response: web.StreamResponse = await handler(request)
        response.headers["X-Tag"] = "mine"
        return response

    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application(middlewares=[tag])
    app.router.add_get("/hello", hello)
    return app


async def own_route() -> None:
    async with mounted("/api", host()) as (session, _):
        for path, text in (("/hello", "hello"), ("/api/none", '{"code":5,"message":"Not Found"}')):
            async with session.get(path) as answer:
                assert await answer.text() == text


async def own_middleware() -> None:
    async with (
        mounted("/api", host()) as (session, _),
        session.get("/api/v1/operations/a") as answer,
    ):
        assert await answer.json() == {"name": "operations/a", "done": True}
        assert answer.headers["X-Tag"] == "mine"


def in_envelope(code: int, message: str, status: str) -> object:
    return {"error": {"code": code, "message": message, "status": status}}


async def googles_client() -> None:
    """Reads errors as the clients of Google's APIs do."""
    async with serving(**ENVELOPE) as (session, _):
        async with session.get("/healthz") as health:
            origin = health.url.origin()

        def ask(path: str) -> Any:
            read: Any = from_http_response  # which has no types
            return read(requests.get(f"{origin}{path}", timeout=10))

        missing = await asyncio.to_thread(ask, "/v1/operations/code-5")
        assert isinstance(missing, NotFound)
        assert missing.message == f"GET {origin}/v1/operations/code-5: so it is"
        rich = await asyncio.to_thread(ask, "/v1/operations/rich")
        assert rich.response.json()["error"]["status"] == "FAILED_PRECONDITION"
        assert rich.details[0] == {"@type": RETRY, "retryDelay": "3s"}


ROWS = {
    "codes": (
        *(code(*pair) for pair in STATUSES.items()),
        Asked(
            "GET /v1/operations/unauthenticated", status=401, said={"WWW-Authenticate": "Bearer"}
        ),
    ),
    "a condition that is not met": (
        Asked(
            "GET /v1/operations/code-10",
            [("If-Match", '"5"')],
            status=412,
            answer={"code": 10, "message": "so it is"},
        ),
        Asked(
            "GET /v1/operations/code-10",
            [("if-match", "*")],
            status=412,
            answer=in_envelope(412, "so it is", "ABORTED"),
            options=ENVELOPE,
        ),
        Asked("GET /v1/operations/code-6", [("If-Match", '"5"')], status=409),
        Asked("GET /v1/operations/code-10", [("If-None-Match", '"5"')], status=409),
    ),
    "the body of an error": (
        Asked(
            "GET /v1/operations/code-5",
            status=404,
            answer={"code": 5, "message": "so it is"},
            said={"Content-Type": "application/json", "Grpc-Status": None},
        ),
    ),
    "the envelope of an error": (
        Asked(
            "GET /v1/operations/rich",
            status=400,
            answer={
                "error": {
                    "code": 400,
                    "message": "busy",
                    "status": "FAILED_PRECONDITION",
                    "details": [
                        {"@type": RETRY, "retryDelay": "3s"},
                        {"@type": "type.googleapis.com/no.Such", "value": "AQ=="},
                        {"@type": RETRY, "value": "/w=="},
                    ],
                }
            },
            options=ENVELOPE,
        ),
        Asked(
            "PUT /v1/operations/a",
            status=405,
            answer=in_envelope(405, "Method Not Allowed", "UNIMPLEMENTED"),
            said={"Allow": "DELETE, GET, HEAD", "Content-Type": "application/json"},
            options=ENVELOPE,
        ),
        Asked(
            "GET /v1/operations/surrogate",
            status=409,
            answer=in_envelope(409, "the error could not be written as JSON", "ABORTED"),
            options=ENVELOPE,
        ),
        googles_client,
    ),
    "errors of the transcoder's own": (
        refused(CANCEL, 400, 3, "body: expected JSON, got 'nil' at line 1, column 1", body="nil"),
        refused(
            "GET /v1/operations?page_size=a",
            400,
            3,
            "query parameter 'page_size': expected int32, got 'a'",
        ),
    ),
    "details": (
        Asked(
            "GET /v1/operations/rich",
            status=400,
            answer={
                "code": 9,
                "message": "busy",
                "details": [
                    {"@type": RETRY, "retryDelay": "3s"},
                    {"@type": "type.googleapis.com/no.Such", "value": "AQ=="},
                    {"@type": RETRY, "value": "/w=="},
                ],
            },
            said=NO_DETAILS,
        ),
        Asked("GET /v1/operations/metadata", [("Grpc-Status-Details-Bin", "!")]),
    ),
    "any character in a message": (
        Asked(
            "GET /v1/operations/garbage-details",
            status=409,
            answer={"code": 10, "message": "b\u00fcsy \U0001f600\0\r\n"},
            said=NO_DETAILS,
        ),
        Asked(
            "GET /v1/operations/surrogate",
            status=409,
            answer={"code": 10, "message": "the error could not be written as JSON"},
        ),
    ),
    "an unknown path": (refused("GET /none", 404, 5, "Not Found"),),
    "a wrong method": (
        refused(
            "PUT /v1/operations/a",
            405,
            12,
            "Method Not Allowed",
            said={"Allow": "DELETE, GET, HEAD"},
        ),
        Asked("OPTIONS /v1/operations/a", status=204, said={"Allow": "DELETE, GET, HEAD"}),
        refused("OPTIONS /none", 404, 5, "Not Found"),
    ),
    "a request in Connect's protocol": (
        Asked(CANCEL, [("Content-Type", "application/proto")], "a", 415, said=PLAIN),
        Asked(CANCEL, [("Content-Type", "application/connect+json")], "a", 415, said=PLAIN),
        Asked("POST /no.Such/Method", [("Connect-Protocol-Version", "1")], "{}", 404, said=PLAIN),
        Asked("GET /no.Such/Method?connect=v1&encoding=json&message=e30", status=404, said=PLAIN),
        Asked(
            "GET /v1/operations/a",
            [("Connect-Protocol-Version", "1")],
            answer={"name": "operations/a", "done": True},
        ),
    ),
    "a wrong content type": (
        refused(
            CANCEL,
            415,
            3,
            "content type 'text/xml': expected application/json",
            ("Content-Type", "text/xml"),
            body="<a/>",
            said={"Accept": "application/json"},
        ),
        refused(
            CANCEL,
            415,
            3,
            "content type 'application/grpc': expected application/json",
            ("Content-Type", "application/grpc"),
            body="\0\0\0\0\0",
        ),
        Asked(CANCEL, [("Content-Type", "text/xml")]),
    ),
    "an unknown content encoding": (
        refused(
            CANCEL,
            415,
            3,
            "content encoding 'deflate': expected at most 2 of zstd, br, gzip",
            ("Content-Encoding", "deflate"),
            body="{}",
            said={"Accept-Encoding": "zstd, br, gzip"},
        ),
    ),
    "X-HTTP-Method-Override": (
        Asked("POST /v1/operations/a", [("X-HTTP-Method-Override", "DELETE"), *FORM], status=405),
    ),
    "a form as GET": (
        refused("POST /v1/operations", 405, 12, "Method Not Allowed", *FORM, body="page_size=1"),
    ),
    "the size of a body": (
        refused(
            CANCEL,
            413,
            8,
            "the request body is larger than the limit of 10 bytes",
            body='{"name": "aaa"}',
            limits=Limits(body_max_bytes=10),
        ),
        refused(
            CANCEL,
            413,
            8,
            "the request body is larger than the limit of 1048576 bytes",
            body=" " * ((1 << 20) + 1),
        ),
    ),
    "compression": (
        Asked(
            "GET /v1/operations/large",
            [("Accept-Encoding", "gzip, br;q=0.5")],
            said={"Content-Encoding": "gzip", "Vary": "Accept-Encoding"},
        ),
        Asked(GET, [("Accept-Encoding", "gzip")], said={"Content-Encoding": None}),
    ),
    "CORS": (
        Asked(GET, [("Origin", "https://a.example")], said={"Access-Control-Allow-Origin": None}),
        Asked(
            GET,
            [("Origin", "https://a.example")],
            said={"Access-Control-Allow-Origin": "https://a.example"},
            options={"cors_origins": ["https://a.example"]},
        ),
    ),
    "health": (
        Asked("GET /healthz", answer={"status": "SERVING"}),
        Asked("GET /readyz", answer={"status": "SERVING"}),
        Asked("POST /healthz", status=405, said={"Allow": "GET, HEAD"}),
        Asked("POST /readyz", status=405, said={"Allow": "GET, HEAD"}),
    ),
    "routes of one's own": (own_route,),
    "middleware of one's own": (own_middleware,),
    "interceptors": (Asked(GET, answer={"name": "stamped"}, options={"interceptors": [Stamp()]}),),
}


@cases("row", ROWS)
async def test_errors(row: Row) -> None:
    await run(row)
