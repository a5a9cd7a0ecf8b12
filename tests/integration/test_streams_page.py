"""The clients of docs/streams.md, run as they stand there."""

import asyncio
import json
import re
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from tests.support.grpcweb_fixture import Server, serving
from tests.support.web_clients import installed_node
from transcoder import EventOptions

PAGE: Final = (Path(__file__).parents[2] / "docs/streams.md").read_text(encoding="utf-8")
CLIENTS: Final = PAGE.partition("\n## Clients\n")[2]
# The methods of the page are those of echo.v1.Echo: what its requests do not have is ignored.
CONFIG: Final = b"""
http:
  rules:
  - {selector: echo.v1.Echo.Repeat, get: /v1/prices}
  - {selector: echo.v1.Echo.Talk, post: "/v1/prices:upload", body: "*"}
"""
WAIT_S: Final = 30


def code(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", CLIENTS, re.DOTALL)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving(service_config=CONFIG, events=EventOptions(retry_ms=3000)) as running:
        yield running


async def output(program: str, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        program, *arguments, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(WAIT_S):
        out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()


async def test_curl_shows_events_and_sends_lines(server: Server) -> None:
    (commands,) = code("sh")
    commands = commands.replace("127.0.0.1:8080", server.address)
    assert await output("sh", "-ec", commands) == (
        'retry: 3000\n\nevent: end\ndata: {}\n\n{"result":{"index":1}}\n{"result":{"index":1}}\n'
    )


async def test_fetch_reads_lines(server: Server) -> None:
    _, by_fetch = code("js")
    program = f"""
        const token = "t", show = (result) => console.log(JSON.stringify(result));
        const fetch = (path, options) => globalThis.fetch("{server.url}" + path, options);
        {by_fetch.replace("symbol=GOOG", "count=2&name=n")}"""
    said = await output(installed_node(), "--input-type=module", "-e", program)
    assert said == '{"name":"n","index":1}\n{"name":"n","index":2}\n'


async def test_aiohttp_sends_and_reads(server: Server) -> None:
    (by_aiohttp,) = code("python")
    shown: list[object] = []
    names: dict[str, Any] = {"json": json, "prices": [1, 2, 3], "show": shown.append}
    main = f"async def main(session):\n{textwrap.indent(by_aiohttp, '    ')}"
    exec(compile(main, "docs/streams.md", "exec"), names)  # noqa: S102  a page of ours
    async with aiohttp.ClientSession(server.url) as session, asyncio.timeout(WAIT_S):
        await names["main"](session)
    assert shown == [{"index": 1}] * 3
