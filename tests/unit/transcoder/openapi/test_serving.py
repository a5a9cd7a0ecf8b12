"""GET /openapi.json, over HTTP."""

from json import loads

import pytest

from tests.support.everything_fixture import SERVICE, handlers, serving
from tests.support.openapi_documents import document_of
from tests.support.raised import misconfigured
from tests.support.tables import cases
from transcoder import OpenApi, Transcoder

PATH = "/openapi.json"


@pytest.fixture
def transcoder() -> Transcoder:
    made = Transcoder(openapi=OpenApi(title="Everything"))
    made.add_registered_method_handlers(SERVICE, handlers())
    return made


async def test_the_document_is_served(transcoder: Transcoder) -> None:
    async with serving(transcoder) as session, session.get(PATH) as answer:
        assert answer.status == 200
        assert answer.content_type == "application/json"
        expected = document_of(SERVICE, options=OpenApi(title="Everything"))
        assert loads(await answer.read()) == expected


async def test_it_is_not_served_without_the_option() -> None:
    made = Transcoder()
    made.add_registered_method_handlers("everything.v1.Everythings", handlers())
    async with serving(made) as session, session.get(PATH) as answer:
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
    async with serving(transcoder) as session:
        async with session.get(PATH) as answer:
            tag = answer.headers["ETag"]
        said = given.format(tag=tag, opaque=tag.removeprefix("W/"))
        async with session.get(PATH, headers={"If-None-Match": said}) as answer:
            assert answer.status == status
            assert answer.headers["ETag"] == tag
            assert bool(await answer.read()) == (status == 200)


async def test_head_has_no_body(transcoder: Transcoder) -> None:
    async with serving(transcoder) as session, session.head(PATH) as answer:
        assert answer.status == 200
        assert answer.headers["ETag"]
        assert await answer.read() == b""


async def test_a_service_that_is_registered_later_is_in_the_next_answer() -> None:
    made = Transcoder(openapi=OpenApi())
    async with serving(made) as session:
        async with session.get(PATH) as answer:
            assert (await answer.json())["paths"] == {}
        made.add_registered_method_handlers(SERVICE, handlers())
        async with session.get(PATH) as answer:
            assert "/v1/read" in (await answer.json())["paths"]


def test_a_descriptor_set_that_is_none_is_refused() -> None:
    with misconfigured("descriptor set: the bytes given: expected a FileDescriptorSet"):
        Transcoder(openapi=OpenApi(descriptor_set=b"\xff"))
