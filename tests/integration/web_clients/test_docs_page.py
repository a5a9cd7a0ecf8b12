"""The page of an OpenAPI document as its reader has it, in Chromium."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc
import pytest
from aiohttp import web
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tests.proto import echo_pb2, echo_pb2_grpc
from tests.support.grpcweb_fixture import REPEAT, SAY, Echo
from tests.support.openapi_documents import add_file
from tests.support.token_guard import TOKEN, TokenGuard
from tests.support.web_clients import Driver
from transcoder import OpenApi, Transcoder

pytestmark = pytest.mark.asyncio(loop_scope="module")

BEARER: Final = {"token": {"type": "http", "scheme": "bearer"}}
NDJSON: Final = "application/x-ndjson"
EVENTS: Final = "text/event-stream"
HOSTILE: Final = (
    "Be <script>globalThis.ran = 1</script> and <img src=x onerror='globalThis.ran = 2'> and "
    "[press](javascript:globalThis.ran=3) and ![see](//localhost:1/x.png)."
)


TREES: Final = """
name: "trees.proto" package: "trees.v1" syntax: "proto3"
message_type { name: "Tree"
  field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "size" number: 2 type: TYPE_INT32 label: LABEL_OPTIONAL }
  field { name: "weight" number: 3 type: TYPE_UINT64 label: LABEL_OPTIONAL }
  field { name: "leaf" number: 4 type: TYPE_STRING label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "count" number: 5 type: TYPE_INT32 label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "inner" number: 6 type_name: ".trees.v1.Tree" label: LABEL_OPTIONAL }
  field { name: "inners" number: 7 type_name: ".trees.v1.Tree" label: LABEL_REPEATED }
  oneof_decl { name: "way" } }
service { name: "Trees"
  method { name: "Grow" input_type: ".trees.v1.Tree" output_type: ".trees.v1.Tree" } }
"""
"""A message with a oneof, numbers and itself."""
WOOD: Final = 'input_type: ".trees.v1.Tree" output_type: ".trees.v1.Tree"'
WOODS: Final = (
    'name: "woods.proto" package: "trees.v1" syntax: "proto3" dependency: "trees.proto" '
    'service { name: "Woods" '
    + "".join(f'method {{ name: "Grow{number}" {WOOD} }} ' for number in range(201))
    + "}"
)
"""A service of many methods."""


def grow() -> Any:
    """Returns a handler of Trees that answers its request."""
    add_file(TREES)
    add_file(WOODS)
    tree = message_factory.GetMessageClass(
        descriptor_pool.Default().FindMessageTypeByName("trees.v1.Tree")
    )

    async def answer(request: Any, context: Any) -> Any:
        return request

    return grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=tree.FromString,
        response_serializer=tree.SerializeToString,
    )


def echo(**options: Any) -> Any:
    """Returns a transcoder of the Echo, which asks for a token."""
    transcoder: Any = Transcoder(
        interceptors=[TokenGuard()], openapi=OpenApi(security=BEARER, **options)
    )
    echo_pb2_grpc.add_EchoServicer_to_server(Echo(), transcoder)
    return transcoder


@asynccontextmanager
async def served(transcoder: Any) -> AsyncIterator[str]:
    address = await transcoder.start("127.0.0.1:0")
    try:
        yield f"http://{address}"
    finally:
        await transcoder.stop()


@asynccontextmanager
async def mounted(transcoder: Any) -> AsyncIterator[str]:
    application = web.Application()
    application.add_subapp("/api", transcoder.app())
    runner = web.AppRunner(application, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield "http://{}:{}".format(*runner.addresses[0])
    finally:
        await runner.cleanup()


def with_comments(comment: str) -> bytes:
    """Returns a descriptor set of the Echo, whose service and methods have a comment."""
    files = FileDescriptorSet()
    file = files.file.add()
    echo_pb2.DESCRIPTOR.CopyToProto(file)
    for path in ([6, 0], *([6, 0, 2, index] for index in range(len(file.service[0].method)))):
        file.source_code_info.location.add(path=path, span=[0, 0, 0], leading_comments=comment)
    return files.SerializeToString()


async def test_calls_are_made_with_a_token(driver: Driver) -> None:
    async with served(echo()) as origin:
        await driver.visit("docs", "openDocs", url=f"{origin}/docs")
        answer = await driver.visit("docs", "tryOut", path=SAY, body='{"name": "Ada"}')
        assert answer["status"].startswith("401")
        token = TOKEN.removeprefix("Bearer ")
        await driver.visit("docs", "openDocs", url=f"{origin}/docs", token=token)
        answer = await driver.visit("docs", "tryOut", path=SAY, body='{"name": "größer"}')
        assert answer == {"status": "200", "body": '{\n  "name": "größer",\n  "index": 1\n}'}

        asked = '{"name": "few", "count": 2}'
        answer = await driver.visit("docs", "tryOut", path=REPEAT, body=asked, accept=NDJSON)
        few = '{"result":{"name":"few","index":1}}\n{"result":{"name":"few","index":2}}\n'
        assert answer["body"].strip() == few.strip()
        endless = '{"name": "all", "case": "CASE_ENDLESS"}'
        answer = await driver.visit("docs", "tryOut", path=REPEAT, body=endless, accept=EVENTS)
        first, *_, last = answer["body"].strip().splitlines()
        assert (first, last) == ("retry: 3000", "(this page ended the stream here)")

        noted = await driver.visit("docs", "docsNoted")
    assert noted["errors"] == []
    assert noted["origins"] == [origin]
    assert REPEAT in noted["text"]


async def test_the_proposed_body_of_a_call_can_be_sent(driver: Driver) -> None:
    transcoder: Any = Transcoder(openapi=OpenApi(), strict=True)
    handler = grow()
    many = {f"Grow{number}": handler for number in range(201)}
    transcoder.add_registered_method_handlers("trees.v1.Trees", {"Grow": handler})
    transcoder.add_registered_method_handlers("trees.v1.Woods", many)
    async with served(transcoder) as origin:
        # So long a document is closed, but for what its address names.
        await driver.visit("docs", "openDocs", url=f"{origin}/docs#/trees.v1.Trees")
        answer = await driver.visit("docs", "tryOut", path="/trees.v1.Trees/Grow")
        noted = await driver.visit("docs", "docsNoted")
    assert "trees.v1.Woods" in noted["text"]
    assert "/trees.v1.Woods/Grow0" not in noted["text"]
    assert answer["status"] == "200", answer
    assert json.loads(answer["body"]) == {"name": "string", "leaf": "string"}


async def test_nothing_in_a_comment_runs_or_is_fetched(driver: Driver) -> None:
    transcoder = echo(servers=["/api"], descriptor_set=with_comments(HOSTILE))
    async with mounted(transcoder) as origin:
        foreign = "url=//localhost:1/a.json&configUrl=//localhost:1/b.json"  # the page ignores it
        url = f"{origin}/api/docs?{foreign}"
        await driver.visit("docs", "openDocs", url=url, token="letmein")
        answer = await driver.visit("docs", "tryOut", path=SAY, body='{"name": "Ada"}')
        assert answer["status"] == "200"
        noted = await driver.visit("docs", "docsNoted")
    assert noted["ran"] is None
    assert noted["origins"] == [origin]
    # The service has it once, each method as its summary and as its description.
    as_text, _, _ = HOSTILE.partition(" and ![see]")
    assert noted["text"].count(as_text) == 9
    assert {"img-src 'self' data:" in each for each in noted["errors"]} == {True}
