"""Headers that every answer has: each of them once, whatever wrote the answer."""

import json
from typing import Any

import aiohttp
import pytest

from tests.proto.echo_pb2 import EchoRequest
from tests.support.grpc_frames import framed
from tests.support.grpcweb_fixture import REPEAT, SAY, Server, serving
from tests.support.tables import cases
from transcoder import OpenApi, SchemaError, Transcoder
from transcoder.openapi.page import FOLDER_PATH, PAGE_PATH

ALWAYS = {"Cache-Control": "no-store", "X-Api": "1"}
APP = "https://app.example"
JSON = {"Content-Type": "application/json"}
WEB = {"Content-Type": "application/grpc-web+proto"}


def asking(**fields: Any) -> bytes:
    return framed(EchoRequest(**fields).SerializeToString())


@cases(
    "verb, path, headers, body, status",
    {
        "JSON": ("POST", SAY, JSON, b"{}", 200),
        "large JSON": ("POST", SAY, JSON, json.dumps({"size": 1 << 17}), 200),
        "a refusal": ("POST", SAY, JSON, b"[]", 400),
        "no route": ("GET", "/nowhere", {}, None, 404),
        "health": ("GET", "/healthz", {}, None, 200),
        "the page of the document": ("GET", PAGE_PATH, {}, None, 200),
        "a file of the page": ("GET", f"{FOLDER_PATH}/swagger-ui.css", {}, None, 200),
        "HEAD": ("HEAD", "/healthz", {}, None, 200),
        "a bad head": ("GET", "/healthz", {"Transfer-Encoding": "x"}, None, 400),
        "gRPC-Web": ("POST", SAY, WEB, asking(name="a"), 200),
        "large gRPC-Web": ("POST", SAY, WEB, asking(size=1 << 17), 200),
        "a stream": ("POST", REPEAT, WEB, asking(count=3), 200),
    },
)
async def test_each_answer_has_them_once(
    verb: str, path: str, headers: dict[str, str], body: bytes | str | None, status: int
) -> None:
    async with (
        serving(response_headers=ALWAYS, openapi=OpenApi()) as server,
        aiohttp.ClientSession() as session,
        session.request(verb, server.url + path, headers=headers, data=body) as answer,
    ):
        await answer.read()
        assert answer.status == status
        for name, value in ALWAYS.items():
            assert answer.headers.getall(name) == [value]


async def exposed_by(server: Server) -> list[str]:
    headers = JSON | {"Origin": APP}
    async with (
        aiohttp.ClientSession() as session,
        session.post(server.url + SAY, data=b"{}", headers=headers) as answer,
    ):
        return answer.headers["Access-Control-Expose-Headers"].split(", ")


async def test_a_page_may_read_them_unless_it_can_anyway() -> None:
    async with serving(response_headers=ALWAYS, cors_origins=[APP]) as server:
        exposed = await exposed_by(server)
    assert "x-api" in exposed
    assert "cache-control" not in exposed


async def test_none_are_there_by_default() -> None:
    async with (
        serving() as server,
        aiohttp.ClientSession() as session,
        session.get(f"{server.url}/healthz") as answer,
    ):
        names = {name.lower() for name in answer.headers}
        assert names == {"x-request-id", "content-type", "content-length", "date"}


def test_a_header_that_cannot_be_one_of_them_is_named() -> None:
    with pytest.raises(SchemaError, match="response header 'Content-Type': is not the same"):
        Transcoder(response_headers={"Content-Type": "text/html"})
