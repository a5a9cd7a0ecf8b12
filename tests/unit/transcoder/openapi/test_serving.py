"""GET /openapi.json, over HTTP."""

import gzip
from json import loads

import pytest
import yaml

from tests.support.everything_fixture import SERVICE, handlers
from tests.support.openapi_documents import document_of
from tests.support.raised import misconfigured
from tests.support.tables import cases
from tests.support.transcoder_client import client_of
from transcoder import OpenApi, Transcoder

PATH = "/openapi.json"
YAML_PATH = "/openapi.yaml"
FILES = "files.v1.Files"


@pytest.fixture
def transcoder() -> Transcoder:
    made = Transcoder(openapi=OpenApi(title="Everything"))
    made.add_registered_method_handlers(SERVICE, handlers())
    return made


async def test_the_document_is_served(transcoder: Transcoder) -> None:
    async with client_of(transcoder) as session, session.get(PATH) as answer:
        assert answer.status == 200
        assert answer.content_type == "application/json"
        expected = document_of(SERVICE, options=OpenApi(title="Everything"))
        assert loads(await answer.read()) == expected


async def test_it_is_served_as_yaml(transcoder: Transcoder) -> None:
    async with client_of(transcoder) as session, session.get(YAML_PATH) as answer:
        assert answer.status == 200
        assert answer.content_type == "application/yaml"
        expected = document_of(SERVICE, options=OpenApi(title="Everything"))
        assert yaml.load(await answer.read(), yaml.CSafeLoader) == expected


async def test_each_form_has_a_tag_of_its_own(transcoder: Transcoder) -> None:
    async with client_of(transcoder) as session:
        async with session.get(PATH) as answer:
            tag = answer.headers["ETag"]
        async with session.get(YAML_PATH, headers={"If-None-Match": tag}) as answer:
            assert answer.status == 200


async def test_parts_are_served() -> None:
    made = Transcoder(openapi=OpenApi())
    made.add_registered_method_handlers(SERVICE, handlers())
    made.add_registered_method_handlers(FILES, {"NoRule": handlers()["Read"]})
    async with client_of(made) as session:
        for query in (f"service={FILES}", f"tag={FILES}", f"service={FILES}&tag={FILES}&v=1"):
            async with session.get(f"{PATH}?{query}") as answer:
                assert list((await answer.json())["paths"]) == ["/files.v1.Files/NoRule"], query
        async with session.get(PATH) as answer:
            assert len((await answer.json())["paths"]) > 1


@cases(
    "query, status, message",
    {
        "a service that is not served": (
            "service=shop.Shop",
            404,
            "openapi: expected a service and a tag of the document, "
            "got service 'shop.Shop' and tag ''",
        ),
        "several services": (
            "service=a&service=b",
            400,
            "query parameter service: expected one value, got 2",
        ),
    },
)
async def test_a_part_that_is_none_is_refused(
    transcoder: Transcoder, query: str, status: int, message: str
) -> None:
    async with client_of(transcoder) as session, session.get(f"{PATH}?{query}") as answer:
        assert answer.status == status
        assert (await answer.json())["message"] == message


async def test_a_document_is_compressed_once(
    transcoder: Transcoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    compressed: list[str] = []

    def deflate(body: bytes, coding: str) -> bytes:
        compressed.append(coding)
        return gzip.compress(body)

    monkeypatch.setattr("transcoder.openapi.serving.deflate", deflate)
    async with client_of(transcoder) as session:
        for _ in range(2):
            async with session.get(PATH, headers={"Accept-Encoding": "gzip"}) as answer:
                assert answer.headers["Content-Encoding"] == "gzip"
                assert answer.headers["Vary"] == "Accept-Encoding"
                assert (await answer.json())["info"]["title"] == "Everything"
    assert compressed == ["gzip"]


async def test_a_document_is_not_compressed_where_nothing_is() -> None:
    made = Transcoder(openapi=OpenApi(), compress_min_bytes=None)
    made.add_registered_method_handlers(SERVICE, handlers())
    async with client_of(made) as session, session.get(PATH) as answer:
        assert "Content-Encoding" not in answer.headers


async def test_it_is_not_served_without_the_option() -> None:
    made = Transcoder()
    made.add_registered_method_handlers("everything.v1.Everythings", handlers())
    async with client_of(made) as session, session.get(PATH) as answer:
        assert answer.status == 404


@cases(
    "given, status",
    {
        "its tag": ("{tag}", 304),
        "its tag as a strong one": ("{opaque}", 304),
        "one of several": ('"other", {tag}', 304),
        "any": ("*", 304),
        "another": ('"other"', 200),
    },
)
async def test_a_client_that_has_it_is_told_so(
    transcoder: Transcoder, given: str, status: int
) -> None:
    async with client_of(transcoder) as session:
        async with session.get(PATH) as answer:
            tag = answer.headers["ETag"]
        said = given.format(tag=tag, opaque=tag.removeprefix("W/"))
        async with session.get(PATH, headers={"If-None-Match": said}) as answer:
            assert answer.status == status
            assert answer.headers["ETag"] == tag
            assert bool(await answer.read()) == (status == 200)


async def test_head_has_no_body(transcoder: Transcoder) -> None:
    async with client_of(transcoder) as session, session.head(PATH) as answer:
        assert answer.status == 200
        assert answer.headers["ETag"]
        assert await answer.read() == b""


async def test_a_service_that_is_registered_later_is_in_the_next_answer() -> None:
    made = Transcoder(openapi=OpenApi())
    async with client_of(made) as session:
        async with session.get(PATH) as answer:
            assert (await answer.json())["paths"] == {}
        made.add_registered_method_handlers(SERVICE, handlers())
        async with session.get(PATH) as answer:
            assert "/v1/read" in (await answer.json())["paths"]


def test_a_descriptor_set_that_is_none_is_refused() -> None:
    with misconfigured("descriptor set: the bytes given: expected a FileDescriptorSet"):
        Transcoder(openapi=OpenApi(descriptor_set=b"\xff"))
