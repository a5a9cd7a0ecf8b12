"""examples/streams as its user has it: served by its own program, used in Chromium."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import grpc
import pytest
import pytest_asyncio

from tests.support.processes import ROOT, Process
from tests.support.web_clients import Driver

pytestmark = pytest.mark.asyncio(loop_scope="module")

WAIT_S: Final = 30
CHAT: Final = "/board.v1.Board/Chat"
SAID: Final = b"\x0a\x05Grace\x12\x03me!"
"""ChatMessage(author="Grace", text="me!")"""


@dataclass(frozen=True)
class Example:
    """The running example: the address of its page, and that of its gRPC."""

    page: str
    native: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def example() -> AsyncIterator[Example]:
    program = str(ROOT / "examples" / "streams" / "board.py")
    free = ["--port", "0", "--grpc", "127.0.0.1:0"]
    with Process([program, *free], environment={"PYTHONUNBUFFERED": "1"}) as process:
        native, page = process.line().split(), process.line().split()
        assert (native[:3], page[:3]) == (["gRPC", "on", "port"], ["========", "Running", "on"])
        yield Example(f"{page[3]}/", f"127.0.0.1:{native[3]}")
        assert process.stop() == 0  # while the page has its news and its chat


async def test_a_page_uploads_reads_news_and_chats(driver: Driver, example: Example) -> None:
    shown = await driver.visit("board", "openBoard", url=example.page)
    assert shown == {"error": "", "uploaded": "", "news": [], "chat": []}

    text = "größer" * 100_000
    data = text.encode()
    shown = await driver.visit("board", "upload", name="größe.txt", type="text/plain", text=text)
    assert shown["uploaded"] == f"{len(data)} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}"
    assert shown["news"] == [f"größe.txt has {len(data)} bytes"]

    shown = await driver.visit("board", "say", author="Ada", text="anybody?", until=1)
    assert (shown["chat"], shown["error"]) == (["Ada: anybody?"], "")


async def test_a_page_chats_with_a_client_of_grpc(driver: Driver, example: Example) -> None:
    await driver.visit("board", "openBoard", url=example.page)
    await driver.visit("board", "say", author="Ada", text="anybody?", until=1)
    async with grpc.aio.insecure_channel(example.native) as channel:
        chat: Any = channel.stream_stream(CHAT)(timeout=WAIT_S)
        await chat.write(SAID)
        assert await chat.read() == SAID  # so she is in the chat
        shown = await driver.visit("board", "say", author="Ada", text="welcome", until=3)
        assert shown["chat"] == ["Ada: anybody?", "Grace: me!", "Ada: welcome"]
        assert await chat.read() == b"\x0a\x03Ada\x12\x07welcome"
        await chat.done_writing()
        assert await chat.read() is grpc.aio.EOF
