"""Each call has a line in the log."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from server.domain.refusals import Kind, Refusal
from server.rpc.metadata import Metadata, metadata_text
from tests.support.layered import GUARDED, TOKEN, Context, Intercepted, answer, raising


@pytest.mark.parametrize(
    ("handler", "code"),
    [
        pytest.param(answer, "OK", id="an answer"),
        pytest.param(raising(Refusal(Kind.NOT_FOUND, "no")), "NOT_FOUND", id="a refusal"),
    ],
)
async def test_access_log_has_one_line_a_call(
    handler: Callable[[object, object], Any], code: str
) -> None:
    intercepted = Intercepted(access_log=True)
    with capture_logs() as lines:
        await asyncio.gather(
            intercepted.call(handler, Context((TOKEN,)), method=GUARDED), return_exceptions=True
        )
    (line,) = lines
    assert isinstance(line.pop("ms"), float)
    assert line == {
        "event": "call",
        "log_level": "info",
        "method": GUARDED,
        "code": code,
        "org": "1",
        "user": "2",
        "peer": "ipv4:127.0.0.1:5000",
    }


async def test_access_log_knows_a_code_that_was_set_as_a_number() -> None:
    async def handler(_request: object, context: Context) -> None:
        context.set_code(5)

    with capture_logs() as lines:
        await Intercepted(access_log=True).call(handler, Context())
    assert lines[0]["code"] == "NOT_FOUND"


async def test_access_log_says_when_the_caller_left() -> None:
    started = asyncio.Event()

    async def handler(_request: object, _context: object) -> None:
        started.set()
        await asyncio.Event().wait()

    with capture_logs() as lines:
        task = asyncio.create_task(Intercepted(access_log=True).call(handler, Context()))
        await started.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [line["code"] for line in lines] == ["CANCELLED"]


async def test_access_log_has_the_client_that_is_found() -> None:
    def client_of(peer: str, metadata: Metadata) -> str:
        return f"{peer} for {metadata_text(metadata, 'x-a')}"

    intercepted = Intercepted(access_log=True, client_of=client_of)
    with capture_logs() as lines:
        await intercepted.call(answer, Context((("x-a", "1"),)))
    assert lines[0]["peer"] == "ipv4:127.0.0.1:5000 for 1"


async def test_access_log_can_be_left_out(intercepted: Intercepted) -> None:
    with capture_logs() as lines:
        await intercepted.call(answer, Context())
    assert lines == []
