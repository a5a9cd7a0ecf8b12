"""Answers of the service at unknown paths, for programs and for browsers."""

from pathlib import Path

import aiohttp

from tests.support.composition import running

HINT = (
    "Not Found: paths here begin with /management/v1, /admin/v1 or /v1; "
    "/healthz and /readyz tell whether it serves; see README.md of the service"
)


async def test_a_wrong_path_says_what_there_is(tmp_path: Path) -> None:
    async with (
        running(tmp_path / "data") as started,
        aiohttp.ClientSession(f"http://{started.listen}") as session,
    ):
        for verb, path, message in (
            ("GET", "/", HINT),
            ("POST", "/reactivate", HINT),
            ("POST", "/actions/_search", HINT),
            ("GET", "/management/v1/none", "Not Found"),
            ("POST", "/management/v1/actions/1/_rename", "Not Found"),
            ("POST", "/actions.v1.ExecutionService/None", HINT),
        ):
            async with session.request(verb, path) as answer:
                said = (answer.status, await answer.json())
            assert said == (404, {"code": 5, "message": message})
        async with session.get("/", headers={"Accept": "text/html,*/*;q=0.8"}) as answer:
            page = await answer.text()
    paths = ("/management/v1", "/admin/v1", "/v1", "/healthz")
    for part in ("<h1>Not Found</h1>", *paths, "README.md"):
        assert part in page
