"""A page of another site, in Chromium, gets nothing, and no call is made.

Follows docs/grpc-web.md "The part of sonora": forms and text/plain need no preflight.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.client_table import BROWSER_CLIENTS, BY_GET
from tests.support.grpcweb_fixture import FILES, SAY, Server, serving
from tests.support.tables import cases
from tests.support.web_clients import Driver, JavaScript

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def server(driver: Driver) -> AsyncIterator[Server]:
    async with serving(cors_origins=[driver.origin]) as server:
        yield server


async def test_the_allowed_page_is_answered(driver: Driver, server: Server) -> None:
    call = await JavaScript(driver, "connect-web", "chromium", server.url, FILES).start(SAY, {})
    assert (await call.outcome()).code == 0
    assert len(server.servicer.seen) == 1


@pytest.mark.parametrize("client", BROWSER_CLIENTS)
async def test_no_client_on_a_foreign_page_gets_through(
    driver: Driver, server: Server, client: str
) -> None:
    call = await JavaScript(driver, client, "foreign", server.url, FILES).start(SAY, {})
    outcome = await call.outcome()
    assert outcome.code != 0
    assert outcome.messages == []
    assert len(server.servicer.seen) == (1 if client == BY_GET else 0)


SCRIPT = {"name": '{"name":"', "value": '<script>document.title = "ran"</script>"}'}
REFUSED = {"status": 403, "type": "text/plain; charset=utf-8", "title": ""}


@cases(
    "how, options, expected",
    {
        "a form of text/plain": ("form", {"enctype": "text/plain", **SCRIPT}, REFUSED),
        "a form": ("form", {"enctype": "application/x-www-form-urlencoded", **SCRIPT}, REFUSED),
        "a form in parts": ("form", {"enctype": "multipart/form-data", **SCRIPT}, REFUSED),
        "an empty form": ("form", {"enctype": "text/plain", "name": "", "value": ""}, REFUSED),
        "text/plain, to read": (
            "post",
            {"mode": "cors", "type": "text/plain"},
            {"error": "TypeError"},
        ),
        "text/plain, to write": (
            "post",
            {"mode": "no-cors", "type": "text/plain"},
            {"status": 0, "type": "opaque", "body": ""},
        ),
        "JSON without a type": (
            "post",
            {"mode": "no-cors", "type": "", "text": "{}"},
            {"status": 0, "type": "opaque", "body": ""},
        ),
    },
)
async def test_a_foreign_page_makes_no_call(
    driver: Driver, server: Server, how: str, options: dict[str, str], expected: object
) -> None:
    url = server.url + SAY
    shown = await driver.visit("foreign", how, origin=driver.foreign, url=url, **options)
    assert shown == expected
    assert server.servicer.seen == []


async def test_a_text_plain_post_of_the_allowed_page_is_refused_with_what_to_send(
    driver: Driver, server: Server
) -> None:
    options = {"url": server.url + SAY, "mode": "cors", "type": "text/plain"}
    shown = await driver.visit("chromium", "post", origin=driver.origin, **options)
    assert shown == {
        "status": 415,
        "type": "cors",
        "body": "content type 'text/plain': expected application/json",
    }
    assert server.servicer.seen == []


async def test_a_wrong_address_shows_a_page_that_runs_nothing(
    driver: Driver, server: Server
) -> None:
    path = "/%3Cscript%3Edocument.title='ran'%3C/script%3E?<script>document.title='ran'</script>"
    shown = await driver.visit("foreign", "open", url=server.url + path)
    missing = "Not Found"
    assert shown == {"status": 404, "heading": missing, "prefixes": [], "title": missing}
