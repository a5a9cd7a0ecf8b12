"""The clients of docs/websocket.md, run as they stand there."""

import asyncio
import re
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from tests.support.grpcweb_fixture import Server, serving
from tests.support.token_guard import TOKEN, TokenGuard
from tests.support.web_clients import installed_node

PAGE: Final = (Path(__file__).parents[2] / "docs/websocket.md").read_text(encoding="utf-8")
# The method of the page is one of echo.v1.Echo: what its requests do not have is ignored.
CONFIG: Final = b"""
http:
  rules:
  - {selector: echo.v1.Echo.Talk, post: "/v1/rooms/{name}:talk", body: "*"}
"""
WAIT_S: Final = 30
SAID: Final = {"name": "7", "index": 1}


def code(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving(service_config=CONFIG, interceptors=[TokenGuard()]) as running:
        yield running


async def test_a_browsers_code_talks_until_it_leaves(server: Server) -> None:
    program = f"""
        const token = "{TOKEN.removeprefix("Bearer ")}";
        const show = (result) => {{ console.log(JSON.stringify(result)); leave(); }};
        const fail = (status) => console.log(JSON.stringify(status));
        {code("js").replace("wss://api.example", f"ws://{server.address}")}"""
    process = await asyncio.create_subprocess_exec(
        installed_node(), "--input-type=module", "-e", program, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(WAIT_S):
        out, _ = await process.communicate()
    assert (process.returncode, out.decode()) == (0, '{"name":"7","index":1}\n')


async def test_aiohttp_talks_to_the_end(server: Server) -> None:
    shown: list[object] = []
    names: dict[str, Any] = {
        "token": TOKEN.removeprefix("Bearer "),
        "show": shown.append,
        "url": "/v1/rooms/7:talk",
    }
    main = f"async def main(session):\n{textwrap.indent(code('python'), '    ')}"
    exec(compile(main, "docs/websocket.md", "exec"), names)  # noqa: S102  a page of ours
    async with aiohttp.ClientSession(server.url) as session, asyncio.timeout(WAIT_S):
        await names["main"](session)
    assert shown == [SAID]
