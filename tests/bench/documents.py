"""Measures the OpenAPI document of many methods: made when it is first asked for, then from memory.

The service is that of scale.py. Client and server are in one process, so their times add up.
"""

import statistics
import time
from collections.abc import Sequence
from typing import Final

import aiohttp
import uvloop

from tests.bench.report import Figure, Spread
from tests.bench.scale import service_of_many_methods
from transcoder import OpenApi, Transcoder

COUNTS: Final = (1000, 10_000)
TIMES: Final = 3
REQUESTS: Final = 200
MADE_S: Final = 1.0
FROM_MEMORY_MS: Final = 1.0
_PATH: Final = "/openapi.json"


def figures() -> Sequence[Figure]:
    """Returns the times of documents; what is asked is asked of the smaller one."""
    made: list[Figure] = []
    for count in COUNTS:
        measured = [uvloop.run(_measure(f"document{count}x{turn}", count)) for turn in range(TIMES)]
        made_s, from_memory_ms = zip(*measured, strict=True)
        is_asked = count == COUNTS[0]
        made += [
            Figure(
                name=f"document-{count}",
                title=f"the document of {count:,} methods, made: CPU",
                unit=" s",
                reached=Spread.of(made_s),
                asked=MADE_S if is_asked else None,
            ),
            Figure(
                name=f"document-{count}-again",
                title=f"the document of {count:,} methods, from memory",
                unit=" ms",
                reached=Spread.of(from_memory_ms),
                asked=FROM_MEMORY_MS if is_asked else None,
            ),
        ]
    return made


async def _measure(package: str, count: int) -> tuple[float, float]:
    """Returns the CPU seconds of the first request, and the median milliseconds of further ones."""
    transcoder = Transcoder(openapi=OpenApi())
    transcoder.add_registered_method_handlers(*service_of_many_methods(package, count))
    address = await transcoder.start("127.0.0.1:0")
    try:
        async with aiohttp.ClientSession(f"http://{address}", auto_decompress=False) as session:
            began = time.process_time()
            await _timed(session)
            made_s = time.process_time() - began
            return made_s, statistics.median(
                [await _timed(session) * 1000 for _ in range(REQUESTS)]
            )
    finally:
        await transcoder.stop()


async def _timed(session: aiohttp.ClientSession) -> float:
    began = time.perf_counter()
    async with session.get(_PATH, headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.status == 200
        await answer.read()
    return time.perf_counter() - began
