"""examples/browser as its user has it: served by its own program, used in Chromium."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.support.processes import ROOT, Process
from tests.support.web_clients import Driver

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXAMPLE = ROOT / "examples" / "browser"


@dataclass(frozen=True)
class Example:
    """The running example.

    Attributes:
        page: where it is.
        service: where the service is, for anyone but the page.
    """

    page: str
    service: str
    token: str

    async def ask(self, verb: str, path: str, body: object = None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.service}/management/v1/actions{path}"
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(verb, url, json=body) as answer,
        ):
            assert answer.status == 200
            return await answer.json()


@pytest_asyncio.fixture(loop_scope="module")
async def example(tmp_path: Path) -> AsyncIterator[Example]:
    assert (EXAMPLE / "build" / "page.js").is_file(), "not built: run the tests with make test"
    data = tmp_path / "data"
    with Process([str(EXAMPLE / "serve.py"), "--port", "0", "--data-dir", str(data)]) as process:
        page, service, token = (process.line().split() for _ in range(3))
        assert (page[0], service[0], token[0]) == ("page", "service", "token")
        assert token[2] == f"{data / 'owner.token'};"
        try:
            secret = (data / "owner.token").read_text("ascii").strip()
            yield Example(f"{page[1]}/", service[1].rstrip(","), secret)
        finally:
            assert process.stop() == 0


async def test_the_page_lists_deactivates_and_reactivates(driver: Driver, example: Example) -> None:
    added = (await example.ask("POST", "", {"name": "größe", "script": "s"}))["id"]
    samples = [
        [name, "Active", f"Deactivate {name}"]
        for name in ("welcomeMail", "copyDepartment", "logSignIn")
    ]

    def page(status: str, focused: str, state: str, button: str) -> object:
        rows = [*samples, ["größe", state, button]]
        return {"status": status, "error": "", "focused": focused, "rows": rows}

    shown = await driver.visit("example", "listActions", url=example.page, token=example.token)
    assert shown == page("4 actions.", "", "Active", "Deactivate größe")

    shown = await driver.visit("example", "press", button="Deactivate größe")
    button = "Reactivate größe"
    assert shown == page("größe is inactive now.", button, "Inactive", button)
    stored = await example.ask("GET", f"/{added}")
    assert stored["action"]["state"] == "ACTION_STATE_INACTIVE"

    shown = await driver.visit("example", "press", button="Reactivate größe")
    button = "Deactivate größe"
    assert shown == page("größe is active now.", button, "Active", button)
    stored = await example.ask("GET", f"/{added}")
    assert stored["action"]["state"] == "ACTION_STATE_ACTIVE"


async def test_the_page_tells_what_went_wrong(driver: Driver, example: Example) -> None:
    shown = await driver.visit("example", "listActions", url=example.page, token="wrong")
    assert shown["error"].startswith("Listing the actions failed: the token is not valid (")
    assert shown["rows"] == []

    await driver.visit("example", "listActions", url=example.page, token=example.token)
    (action, *_) = (await example.ask("POST", "/_search", {}))["result"]
    await example.ask("POST", f"/{action['id']}/_deactivate", {})
    shown = await driver.visit("example", "press", button="Deactivate welcomeMail")
    assert shown["error"] == (
        "Deactivating welcomeMail failed: Action is not active (COMMAND-Dgj92)."
    )
