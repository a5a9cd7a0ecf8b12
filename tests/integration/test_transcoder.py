"""The transcoder, over real sockets, in front of a service that is not of this project's domain."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import aiohttp
import grpc
import pytest
from google.longrunning import operations_pb2
from yarl import URL

from tests.support.connections import opened
from tests.support.operations import Server, serving
from tests.support.tables import cases
from tests.support.transcoder_client import client_of
from transcoder import Limits, Transcoder
from transcoder.http.offload import Offload

CANCEL = "/v1/operations/a:cancel"
JSON_TYPE = {"Content-Type": "application/json"}


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as running:
        yield running


async def test_a_service_of_another_project_is_served_unchanged(server: Server) -> None:
    session, _ = server
    async with session.get("/v1/operations/a/b") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/json"
        assert await answer.json() == {"name": "operations/a/b", "done": True}
        assert "Server" not in answer.headers


@cases(
    "request_line, body, answered, seen",
    {
        "a verb and a body": (
            "POST /v1/operations/a:cancel",
            '{"name":"overridden"}',
            {},
            operations_pb2.CancelOperationRequest(name="operations/a"),
        ),
        "query parameters that the path leaves": (
            "GET /v1/operations?pageSize=3&filter=a%26b&name=overridden&x=1",
            "",
            {"nextPageToken": "next"},
            operations_pb2.ListOperationsRequest(name="operations", page_size=3, filter="a&b"),
        ),
        "a method without a rule, at its own path": (
            "POST /google.longrunning.Operations/WaitOperation",
            '{"name":"a","timeout":"1.5s"}',
            {"name": "a"},
            operations_pb2.WaitOperationRequest(name="a", timeout=timedelta(seconds=1.5)),
        ),
        "a body that no rule reads": (
            "DELETE /v1/operations/a",
            "[[[",
            {},
            operations_pb2.DeleteOperationRequest(name="operations/a"),
        ),
    },
)
async def test_a_request_reaches_its_method(
    server: Server, request_line: str, body: str, answered: object, seen: object
) -> None:
    session, servicer = server
    verb, target = request_line.split(" ")
    data = body.encode() or None
    url = URL(target, encoded=True)
    async with session.request(verb, url, data=data, headers=JSON_TYPE) as answer:
        assert (answer.status, await answer.json()) == (200, answered)
    assert servicer.seen == seen


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/json ;x=1",
        "application/vnd.a.b+json",
        "model/gltf+json",
        "text/json",
    ],
)
async def test_every_json_type_is_accepted_and_none(
    server: Server, content_type: str | None
) -> None:
    session, _ = server
    headers = {} if content_type is None else {"Content-Type": content_type}
    without = ["Content-Type"]
    async with session.post(
        CANCEL, data=b"{}", headers=headers, skip_auto_headers=without
    ) as answer:
        assert answer.status == 200


async def test_head_is_get_without_the_body(server: Server) -> None:
    session, _ = server
    async with session.head("/v1/operations/a") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Length"] == str(len('{"name":"operations/a","done":true}'))
        assert await answer.read() == b""
    async with session.get("/v1/operations/a") as answer:  # the connection is still in step
        assert answer.status == 200


async def test_an_exception_shows_the_request_id_only(server: Server) -> None:
    session, _ = server
    headers = {"X-Request-Id": "mine"}
    async with session.get("/v1/operations/raises", headers=headers) as answer:
        assert answer.status == 500
        assert answer.headers["X-Request-Id"] == "mine"
        assert await answer.json() == {"code": 13, "message": "internal error (request id mine)"}


async def test_each_request_has_an_id_of_its_own(server: Server) -> None:
    session, _ = server
    ids = []
    for headers in ({}, {"X-Request-Id": "a b"}, {"X-Request-Id": "x" * 129}):
        async with session.get("/v1/operations/metadata", headers=headers) as answer:
            ids.append(answer.headers["X-Request-Id"])
            assert f'["x-request-id", "{ids[-1]}"]' in (await answer.json())["name"]
    assert len(set(ids)) == 3
    assert all(len(id) == 20 for id in ids)


async def test_a_garbage_timeout_is_refused_before_the_body_comes(server: Server) -> None:
    session, servicer = server
    head = (
        b"POST /v1/operations/a:cancel HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        b"Grpc-Timeout: 123456789S\r\nContent-Length: 1000\r\n\r\n"
    )
    assert (await sent(session, head)).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert servicer.seen is None


async def test_a_deadline_ends_the_call(server: Server) -> None:
    session, servicer = server
    async with session.get("/v1/operations/waits", headers={"Grpc-Timeout": "20m"}) as answer:
        assert answer.status == 504
        assert await answer.json() == {"code": 4, "message": "Deadline Exceeded"}
    assert servicer.cancelled.is_set()
    async with session.get("/v1/operations/a") as answer:  # the connection lives on
        assert answer.status == 200


async def test_a_client_that_leaves_cancels_its_call(server: Server) -> None:
    session, servicer = server
    request = asyncio.create_task(session.get("/v1/operations/waits").__aenter__())
    await servicer.started.wait()
    request.cancel()
    await asyncio.wait_for(servicer.cancelled.wait(), 5)


async def test_a_request_that_is_refused_before_the_call_is_logged(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    session, _ = server
    with caplog.at_level(logging.INFO, logger="transcoder"):
        async with session.get("/no%0Ane", headers={"X-Request-Id": "mine"}) as answer:
            assert answer.status == 404
        async with session.get("/v1/operations/rich") as answer:
            assert answer.status == 400
    assert caplog.messages == ["refused GET '/no%0Ane': Not Found, request id mine"]


@cases(
    "target, name",
    {
        "http": ("http://a/v1/operations/a%2Fb", "operations/a%2Fb"),
        "https": ("HTTPS://u@a:1/v1/operations/a?x=//b", "operations/a"),
    },
)
async def test_an_absolute_target_is_its_path(server: Server, target: str, name: str) -> None:
    session, servicer = server
    head = f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert (await sent(session, head.encode())).startswith(b"HTTP/1.1 200 OK\r\n")
    assert servicer.seen.name == name


@pytest.mark.parametrize("target", ["http://a", "http://a?b"])
async def test_an_absolute_target_without_a_path_is_the_root(server: Server, target: str) -> None:
    session, _ = server
    head = f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert (await sent(session, head.encode())).startswith(b"HTTP/1.1 404 Not Found\r\n")


async def test_a_transfer_coding_that_is_not_undone_reaches_no_method(server: Server) -> None:
    session, servicer = server
    head = (
        b"POST /v1/operations/a:cancel HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    )
    assert (await sent(session, head)).endswith(
        b'{"code":3,"message":"header Transfer-Encoding: expected chunked, last and once"}'
    )
    assert servicer.seen is None


async def sent(session: aiohttp.ClientSession, data: bytes) -> bytes:
    """Sends bytes, and returns all bytes until the server closes."""
    async with session.get("/healthz") as answer:
        address = answer.url.authority
    async with opened(address) as (reader, writer), asyncio.timeout(5):
        writer.write(data)
        return await reader.read()


async def test_a_malformed_path_is_answered_in_grpc_web(server: Server) -> None:
    session, _ = server
    headers = {"Content-Type": "application/grpc-web+proto"}
    path = URL("/v1/operations/%zz:cancel", encoded=True)
    async with session.post(path, headers=headers, data=b"\0\0\0\0\0") as answer:
        assert (answer.status, await answer.read()) == (
            200,
            b"\x80\0\0\0\x63grpc-status:3\r\ngrpc-message:path segment '%25zz:cancel': "
            b"expected two hex digits after each '%25'\r\n",
        )


async def test_a_large_body_is_decoded_off_the_loop_with_the_same_result() -> None:
    async with serving(limits=Limits(inline_max_bytes=10)) as (session, servicer):
        async with session.post(CANCEL, json={"name": "x" * 100, "other": 1}) as answer:
            assert answer.status == 200
        assert servicer.seen.name == "operations/a"
        async with session.post(CANCEL, data=b'{"name":"xxxxxxxxxx', headers=JSON_TYPE) as answer:
            assert answer.status == 400


async def test_origins_are_answered_and_others_get_nothing() -> None:
    async with serving(cors_origins=["https://app.example"]) as (session, _):
        preflight = {
            "Origin": "https://app.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        async with session.options(CANCEL, headers=preflight) as answer:
            assert answer.status == 204
            assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
            assert "authorization" in answer.headers["Access-Control-Allow-Headers"]
        for path in ("/v1/operations/created", "/none"):
            async with session.get(path, headers={"Origin": "https://app.example"}) as answer:
                assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
        for headers in ({"Origin": "https://evil.example"}, {}):
            async with session.get("/none", headers=headers) as answer:
                assert "Access-Control-Allow-Origin" not in answer.headers
                assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize("origins", [[], ["https://app.example"]], ids=["none", "another"])
@cases(
    "verb, headers",
    {
        "a read": ("GET", {}),
        "a write": ("POST", JSON_TYPE),
        "a preflight": ("OPTIONS", {"Access-Control-Request-Method": "POST"}),
        "gRPC-Web": ("POST", {"Content-Type": "application/grpc-web+proto"}),
    },
)
async def test_a_page_that_is_kept_out_leaves_one_line_with_its_origin(
    origins: list[str], verb: str, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    headers = {**headers, "Origin": "https://page.example"}
    async with serving(cors_origins=origins) as (session, _):
        for _ in range(2):
            async with session.request(verb, "/v1/operations/a", headers=headers):
                pass
    assert caplog.messages == ["refused a page of https://page.example: not one of cors_origins"]


async def test_pages_that_may_call_leave_no_line(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(cors_origins=["https://app.example"]) as (session, _):
        async with session.get("/healthz") as answer:
            own = str(answer.url.origin())
        for headers in (
            {"Origin": "https://app.example"},
            {"Origin": own},
            {"Origin": "https://behind.example", "Sec-Fetch-Site": "same-origin"},
        ):
            async with session.post(CANCEL, headers={**JSON_TYPE, **headers}, data=b"{}"):
                pass
    assert caplog.messages == []


async def test_a_preflight_is_answered_where_a_route_takes_every_method_too() -> None:
    config = (
        b"http: {rules: [{selector: google.longrunning.Operations.WaitOperation,"
        b" custom: {kind: '*', path: /any}}]}"
    )
    async with serving(cors_origins=["https://app.example"], service_config=config) as running:
        session, servicer = running
        preflight = {"Origin": "https://app.example", "Access-Control-Request-Method": "PUT"}
        async with session.options("/any", headers=preflight) as answer:
            assert answer.status == 204
            assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
        assert servicer.seen is None
        async with session.options("/any", headers={"Origin": "https://app.example"}) as answer:
            assert answer.status == 200
        assert servicer.seen == operations_pb2.WaitOperationRequest()


@cases(
    "content_type, status, expected",
    {
        "JSON": (
            "application/json",
            500,
            b'{"code":13,"message":"internal error (request id mine)"}',
        ),
        "gRPC-Web": (
            "application/grpc-web+proto",
            200,
            b"\x80\0\0\0\x3fgrpc-status:13\r\ngrpc-message:internal error (request id mine)\r\n",
        ),
    },
)
async def test_a_fault_of_the_protocol_itself_is_answered_in_the_callers_protocol(
    server: Server, monkeypatch: pytest.MonkeyPatch, content_type: str, status: int, expected: bytes
) -> None:
    session, _ = server

    def fail(*_: object, **__: object) -> None:
        raise LookupError("secret")

    monkeypatch.setattr("transcoder.routing.router.Router.match", fail)
    headers = {"Content-Type": content_type, "X-Request-Id": "mine"}
    async with session.post(CANCEL, headers=headers) as answer:
        assert (answer.status, await answer.read()) == (status, expected)


async def test_an_answer_that_has_no_json_says_nothing_of_itself(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    session, _ = server
    async with session.get("/v1/operations/unwritable") as answer:
        assert answer.status == 500
        assert "Location" not in answer.headers
        assert answer.headers.getall("Content-Type") == ["application/json"]
        assert "no.Such" not in await answer.text()
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith(
        "answer of /google.longrunning.Operations/GetOperation has no JSON form: "
        "response: an Any of an unknown type: no.Such, request id "
    )


async def test_a_large_answer_is_what_was_returned_whatever_becomes_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = operations_pb2.Operation(name="x" * 100_000)

    async def answer_of(_: Offload, work: Callable[..., bytes], *args: Any) -> bytes:
        state.name = "changed"  # by another call, while this one is written in a thread
        return work(*args)

    async def get(request: object, context: object) -> object:
        return state

    monkeypatch.setattr(Offload, "answer", answer_of)
    transcoder = Transcoder()
    handler: Any = grpc.unary_unary_rpc_method_handler(
        get,
        operations_pb2.GetOperationRequest.FromString,
        operations_pb2.Operation.SerializeToString,
    )
    service = "google.longrunning.Operations"
    transcoder.add_registered_method_handlers(service, {"GetOperation": handler})
    async with (
        client_of(transcoder) as session,
        session.get("/v1/operations/a") as answer,
    ):
        assert await answer.json() == {"name": "x" * 100_000}


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
"""The Accept header of browsers that open a page."""


@pytest.mark.parametrize("path", ["/", "/<script>alert(1)</script>", "/none?q=<script>"])
async def test_a_browser_gets_a_page_that_holds_nothing_of_its_request(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="transcoder"):
        async with serving() as (session, _), session.get(path, headers=BROWSER) as answer:
            page = await answer.text()
    assert (answer.status, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "<code>/v1</code>" in page
    assert "script" not in page
    (line,) = caplog.messages
    assert line.startswith("refused GET '/")


async def test_a_browser_gets_no_page_from_a_method_that_finds_nothing(server: Server) -> None:
    session, _ = server
    async with session.get("/v1/operations/code-5", headers=BROWSER) as answer:
        assert answer.headers["Content-Type"] == "application/json"
