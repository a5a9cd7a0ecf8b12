"""GET /docs and the files of that page, over HTTP; and where these come from."""

import gzip
import hashlib
import re
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.support.everything_fixture import SERVICE, handlers
from tests.support.raised import misconfigured
from tests.support.tables import cases
from tests.support.transcoder_client import client_of
from transcoder import OpenApi, PlainAnswer, PlainRequest, Transcoder
from transcoder.openapi import page
from transcoder.openapi.page import FOLDER_PATH, VERSION

FOLDER = Path(page.__file__).with_name("swagger_ui")
SCRIPT = f"{FOLDER_PATH}/swagger-ui-bundle.js"
START = f"{FOLDER_PATH}/start.js"
PATHS = ("/docs", SCRIPT, f"{FOLDER_PATH}/swagger-ui.css", START)
READ = b'{"http": {"rules": [{"selector": "everything.v1.Everythings.Read", "get": "%s"}]}}'
DEFAULT_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}


@pytest.fixture
def transcoder() -> Transcoder:
    return Transcoder(openapi=OpenApi(title="Books & <more>"))


async def policy_of(session: ClientSession) -> dict[str, str]:
    async with session.get("/docs") as answer:
        directives = answer.headers["Content-Security-Policy"].split("; ")
    return dict(each.split(" ", 1) for each in directives)


def test_files_are_those_of_the_version() -> None:
    note = (FOLDER / "README.md").read_text("utf-8")
    assert f"swagger-ui-dist {VERSION}" in note
    sums = dict(re.findall(r"^\| `(.+)` \| `([0-9a-f]{64})` \|$", note, re.MULTILINE))
    assert set(sums) == {"swagger-ui-bundle.js.gz", "swagger-ui.css.gz"}
    for name, expected in sums.items():
        content = gzip.decompress((FOLDER / name).read_bytes())
        assert hashlib.sha256(content).hexdigest() == expected, name


async def test_the_page_has_relative_links_and_its_title_as_text(transcoder: Transcoder) -> None:
    async with client_of(transcoder) as session, session.get("/docs") as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        text = await answer.text()
    assert "<title>Books &amp; &lt;more&gt;</title>" in text
    linked = re.findall(r'(?:href|src)="([^"]+)"', text)
    assert [f"/{each}" for each in linked if each != "data:,"] == [
        f"{FOLDER_PATH}/swagger-ui.css",
        "/openapi.json",
        SCRIPT,
        START,
    ]


async def test_the_policy_of_the_page_allows_its_own_files_alone(transcoder: Transcoder) -> None:
    async with client_of(transcoder) as session:
        assert await policy_of(session) == DEFAULT_POLICY


async def test_the_page_may_call_the_servers_of_the_api() -> None:
    servers = ["https://b.example/v1", "/v2", "http://a.example:8080", "https://b.example/v3"]
    async with client_of(Transcoder(openapi=OpenApi(servers=servers))) as session:
        policy = await policy_of(session)
    called = "'self' http://a.example:8080 https://b.example"
    assert policy == DEFAULT_POLICY | {"connect-src": called}


@cases(
    "accepted, coding",
    {
        "gzip": ("gzip", "gzip"),
        "gzip among others": ("zstd, br, gzip", "gzip"),
        "none": ("identity", None),
        "others": ("br", None),
    },
)
async def test_a_large_file_is_sent_as_it_is_kept_where_gzip_is_accepted(
    transcoder: Transcoder, accepted: str, coding: str | None
) -> None:
    headers = {"Accept-Encoding": accepted}
    async with client_of(transcoder) as session, session.get(SCRIPT, headers=headers) as answer:
        assert (answer.status, answer.headers.get("Content-Encoding")) == (200, coding)
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert answer.content_type == "text/javascript"
        body = await answer.read()  # inflated by the client
    assert body == gzip.decompress((FOLDER / "swagger-ui-bundle.js.gz").read_bytes())


@pytest.mark.parametrize("path", PATHS)
async def test_a_client_that_has_a_file_gets_no_second_one(
    transcoder: Transcoder, path: str
) -> None:
    async with client_of(transcoder) as session:
        async with session.head(path) as answer:
            assert (answer.status, await answer.read()) == (200, b"")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            first = answer.headers
        headers = {"If-None-Match": first["ETag"]}
        async with session.get(path, headers=headers) as answer:
            assert (answer.status, await answer.read()) == (304, b"")
            assert answer.headers["Cache-Control"] == first["Cache-Control"]


async def test_browsers_keep_files_of_a_version_and_ask_again_for_ours(
    transcoder: Transcoder,
) -> None:
    kept = {}
    async with client_of(transcoder) as session:
        for path in PATHS:
            async with session.head(path) as answer:
                kept[path] = "immutable" in answer.headers["Cache-Control"]
    assert kept == dict(zip(PATHS, (False, True, True, False), strict=True))


async def test_the_document_is_served_without_the_page() -> None:
    async with client_of(Transcoder(openapi=OpenApi(page=False))) as session:
        for path, status in (("/openapi.json", 200), ("/docs", 404), (SCRIPT, 404)):
            async with session.get(path) as answer:
                assert answer.status == status, path


async def test_a_service_with_a_route_there_answers_instead() -> None:
    transcoder = Transcoder(openapi=OpenApi(), service_config=READ % b"/docs")
    transcoder.add_registered_method_handlers(SERVICE, handlers())
    async with client_of(transcoder) as session, session.get("/docs") as answer:
        assert (answer.status, await answer.json()) == (200, {"servedBy": "Read"})


async def test_a_route_below_the_page_does_not_take_its_files() -> None:
    transcoder = Transcoder(openapi=OpenApi(), service_config=READ % b"/docs/{name}")
    transcoder.add_registered_method_handlers(SERVICE, handlers())
    async with client_of(transcoder) as session:
        async with session.get("/docs/a") as answer:
            assert await answer.json() == {"name": "a", "servedBy": "Read"}
        async with session.get(SCRIPT) as answer:
            assert (answer.status, answer.content_type) == (200, "text/javascript")


async def test_a_handler_at_the_path_of_the_page_is_refused(transcoder: Transcoder) -> None:
    async def answer(_: PlainRequest) -> PlainAnswer:
        return PlainAnswer(200)

    message = "a plain handler: GET /docs is the same route as OpenApi(page=True): GET /docs"
    with misconfigured(message):
        transcoder.handle("GET", "/docs", answer)
