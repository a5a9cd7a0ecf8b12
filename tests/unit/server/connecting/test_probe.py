"""Calls of a target through its public URL: how their answers are read."""

import asyncio

from aiohttp import web

from server.connecting.probe import ProbeAnswer, probe
from tests.support.web_server import served

ANSWER = b'{"trial": {"organisation": "7", "actions": {"2/4": ["greet"]}}}'


async def test_an_answer_may_come_in_parts() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for part in (ANSWER[:20], ANSWER[20:]):
            await response.write(part)
            await asyncio.sleep(0.05)
        return response

    async with served(answer) as url:
        found = await probe(f"{url}/targets/1", "key", "there")
    assert found == ProbeAnswer(org_id="7", actions={"2/4": ["greet"]})
