"""In an aiohttp application that is there already: its prefix, and its clients behind a proxy."""

import json

from yarl import URL

from tests.support.operations import mounted
from tests.support.tables import cases


@cases(
    "prefix, requested",
    {
        "as it is": ("/api", "/api"),
        "escaped without need": ("/api", "/%61pi"),
        "all escaped": ("/api", "/%61%70%69"),
        "two segments": ("/a/c", "/%61/%63"),
        "in lower-case hexadecimal": ("/a~b", "/a%7eb"),
    },
)
@cases(
    "path, name",
    {
        "a path": ("/v1/operations/a", "operations/a"),
        "a query": ("/v1/operations/a?page_size=/x/y", "operations/a"),
        "an escaped slash": ("/v1/operations/api%2Fapi", "operations/api%2Fapi"),
    },
)
async def test_a_prefix_is_found_however_a_client_escapes_it(
    prefix: str, requested: str, path: str, name: str
) -> None:
    url = URL(requested + path, encoded=True)
    async with mounted(prefix) as (session, _), session.get(url) as answer:
        assert (answer.status, await answer.json()) == (200, {"name": name, "done": True})


async def test_trusted_proxies_name_clients_there_too() -> None:
    headers = {"X-Forwarded-For": "192.0.2.1"}
    async with (
        mounted("/api", trusted_proxies=["127.0.0.1"]) as (session, _),
        session.get("/api/v1/operations/metadata", headers=headers) as answer,
    ):
        told = dict(json.loads((await answer.json())["name"]))
    assert told["x-forwarded-for"] == "192.0.2.1, 127.0.0.1"
