"""The client of a ZITADEL: which requests are sent again. Its texts are tested by its readers."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from server.zitadel_client import ZitadelClient, ZitadelError, zitadel_client
from tests.support.upstream_api import TOKEN, Upstream, upstream

PATH = "/admin/v1/orgs/_search"


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    sleep = asyncio.sleep
    monkeypatch.setattr("server.zitadel_client.asyncio.sleep", lambda _seconds: sleep(0))


@pytest.fixture
async def there() -> AsyncIterator[Upstream]:
    async with upstream() as served:
        yield served


@pytest.fixture
async def client(there: Upstream) -> AsyncIterator[ZitadelClient]:
    async with zitadel_client(there.url, TOKEN) as opened:
        yield opened


def fault(status: int) -> web.Response:
    return web.Response(status=status, text='{"message":"later"}')


async def test_a_request_that_may_be_repeated_is_sent_until_it_is_answered(
    there: Upstream, client: ZitadelClient
) -> None:
    there.faults = [lambda _request: fault(429), lambda _request: fault(503)]
    assert b'"result"' in await client.ask("POST", PATH, {})
    assert len(there.asked) == 3


async def test_one_that_must_not_be_repeated_is_sent_again_only_if_it_was_not_done(
    there: Upstream, client: ZitadelClient
) -> None:
    there.faults = [lambda _request: fault(429), lambda _request: fault(503)]
    with pytest.raises(ZitadelError, match=r"answered 503: later$") as raised:
        await client.ask("POST", PATH, {}, is_repeatable=False)
    assert (raised.value.status, len(there.asked)) == (503, 2)
