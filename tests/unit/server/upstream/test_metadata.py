"""Metadata is read from a ZITADEL as a service account: lists, tokens, and what may go wrong."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import structlog
from aiohttp import web

from server.bridge.service_accounts import ServiceAccount, read_account
from server.scripts.contract import NoMetadata
from server.upstream import account_client, metadata
from server.upstream.account_client import AccountClient
from server.upstream.metadata import ORG_PART, USER_PART, CallMetadata, Place, UpstreamMetadata
from tests.support import metadata_api as stand_in
from tests.support.metadata_api import TOKEN, Fault, MetadataApi, metadata_api
from tests.support.tables import cases

ORG, OTHER, USER = "900", "901", "300"
OF_ORG = "/management/v1/metadata/_search 900"
OF_USER = "/management/v1/users/300/metadata/_search 900"
TOKEN_PATH = "/oauth/v2/token"


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives reads the time that a busy machine takes, and pages few entries."""
    monkeypatch.setattr(metadata, "READ_MAX_S", 60)
    monkeypatch.setattr(metadata, "PAGE", 3)


@pytest.fixture
async def upstream() -> AsyncIterator[MetadataApi]:
    async with metadata_api() as served:
        served.orgs[ORG] = {"tier": b"gold", "limits": b'{"seats":5}'}
        served.users[USER] = {"department": b"engineering"}
        yield served


@pytest.fixture
async def lists() -> AsyncIterator[UpstreamMetadata]:
    client = AccountClient()
    made = UpstreamMetadata(client)
    yield made
    await made.close()
    await client.close()


def by_token(upstream: MetadataApi) -> ServiceAccount:
    return read_account(upstream.url, TOKEN)


def by_key(upstream: MetadataApi) -> ServiceAccount:
    return read_account(upstream.url, upstream.key_file)


async def keys(lists: UpstreamMetadata, place: Place, *, within_s: float = 30) -> list[str]:
    found = json.loads(await lists.read(place, within_s=within_s))
    return [entry["key"] for entry in found["metadata"]]


async def failure(lists: UpstreamMetadata, place: Place, *, within_s: float = 30) -> str:
    with pytest.raises(NoMetadata) as failed:
        await lists.read(place, within_s=within_s)
    return str(failed.value)


async def test_a_list_has_all_that_scripts_see(
    upstream: MetadataApi, lists: UpstreamMetadata
) -> None:
    found = json.loads(await lists.read(Place(by_token(upstream), ORG), within_s=30))
    assert (found["count"], found["sequence"]) == (2, 99)
    assert found["timestamp"] == "2025-04-01T00:00:00Z"
    assert found["metadata"][1] == {
        "creationDate": "2025-03-04T05:06:07.123456Z",
        "changeDate": "2025-03-05T06:07:08Z",
        "resourceOwner": ORG,
        "sequence": 8,
        "key": "limits",
        "value": '{"seats":5}',
    }


async def test_lists_of_users_and_of_organisations_without_metadata(
    upstream: MetadataApi, lists: UpstreamMetadata
) -> None:
    account = by_token(upstream)
    assert await keys(lists, Place(account, ORG, USER)) == ["department"]
    assert await keys(lists, Place(account, OTHER)) == []
    assert upstream.asked == [OF_USER, "/management/v1/metadata/_search 901"]


async def test_a_list_is_asked_for_once_in_five_seconds(
    upstream: MetadataApi, lists: UpstreamMetadata
) -> None:
    place = Place(by_token(upstream), ORG)
    await asyncio.gather(*(keys(lists, place) for _ in range(20)))
    await keys(lists, place)
    assert upstream.asked == [OF_ORG]


async def test_a_key_gets_one_token_for_all_lists(
    upstream: MetadataApi, lists: UpstreamMetadata
) -> None:
    account = by_key(upstream)
    places = [Place(account, ORG), Place(account, OTHER), Place(account, ORG, USER)]
    await asyncio.gather(*(keys(lists, place) for place in places))
    assert upstream.asked.count(TOKEN_PATH) == 1


async def test_a_token_that_is_refused_is_replaced_once(
    upstream: MetadataApi, lists: UpstreamMetadata
) -> None:
    account = by_key(upstream)
    await keys(lists, Place(account, ORG))
    upstream.token = "another"
    assert await keys(lists, Place(account, ORG, USER)) == ["department"]
    assert upstream.asked == [TOKEN_PATH, OF_ORG, OF_USER, TOKEN_PATH, OF_USER]


async def test_a_token_is_not_used_in_its_last_minute(
    upstream: MetadataApi, lists: UpstreamMetadata
) -> None:
    upstream.expires_in = 60
    account = by_key(upstream)
    await keys(lists, Place(account, ORG))
    await keys(lists, Place(account, OTHER))
    assert upstream.asked.count(TOKEN_PATH) == 2


async def test_pages_are_read_until_there_are_all(
    upstream: MetadataApi, lists: UpstreamMetadata
) -> None:
    upstream.orgs[ORG] = {f"key {number}": b"1" for number in range(2 * metadata.PAGE + 1)}
    assert len(await keys(lists, Place(by_token(upstream), ORG))) == 2 * metadata.PAGE + 1
    assert upstream.asked == [OF_ORG] * 3


async def test_a_list_that_changes_while_it_is_read_is_read_again(
    upstream: MetadataApi, lists: UpstreamMetadata
) -> None:
    upstream.orgs[ORG] = {f"key {number}": b"1" for number in range(metadata.PAGE + 1)}

    def change_once() -> None:
        upstream.orgs[ORG]["one more"] = b"1"
        upstream.after_page = lambda: None

    upstream.after_page = change_once
    assert len(await keys(lists, Place(by_token(upstream), ORG))) == metadata.PAGE + 2
    assert upstream.asked == [OF_ORG] * 4


async def test_a_list_that_always_changes_is_given_up(
    upstream: MetadataApi, lists: UpstreamMetadata
) -> None:
    upstream.orgs[ORG] = {f"key {number}": b"1" for number in range(metadata.PAGE + 1)}
    upstream.after_page = lambda: upstream.orgs[ORG].update({f"k{len(upstream.orgs[ORG])}": b""})
    text = await failure(lists, Place(by_token(upstream), ORG))
    assert text == "metadata of organisation 900: it changes while it is read; try again later"


@cases(
    "fault, reason",
    {
        "401": (stand_in.refused, "ZITADEL answered 401: may the service account do this?"),
        "403": (stand_in.forbidden, "ZITADEL answered 403: may the service account do this?"),
        "429 with Retry-After": (stand_in.busy, "ZITADEL answered 429"),
        "a redirect": (stand_in.elsewhere, "ZITADEL answered 302"),
        "no JSON": (stand_in.garbage, "expected a list of metadata as JSON; is it a ZITADEL?"),
    },
)
async def test_an_answer_that_cannot_be_used_is_told_once_a_second(
    upstream: MetadataApi, lists: UpstreamMetadata, fault: Fault, reason: str
) -> None:
    upstream.faults = [fault]
    place = Place(by_token(upstream), ORG)
    with structlog.testing.capture_logs() as lines:
        texts = [await failure(lists, place) for _ in range(3)]
    assert texts == [f"metadata of organisation 900: {reason}"] * 3
    assert lines == [
        {
            "event": "metadata cannot be read",
            "of": "organisation 900",
            "issuer": upstream.url,
            "reason": reason,
            "log_level": "warning",
        }
    ]
    assert upstream.asked == [OF_ORG]


async def test_a_request_whose_connection_is_closed_is_sent_once_more(
    upstream: MetadataApi, lists: UpstreamMetadata
) -> None:
    upstream.faults = [stand_in.closed]
    place = Place(by_token(upstream), ORG)
    assert await keys(lists, place) == ["tier", "limits"]
    lists.forget(place)
    upstream.faults = [stand_in.closed, stand_in.closed]
    text = await failure(lists, place)
    assert text.startswith("metadata of organisation 900: ZITADEL: ")
    assert upstream.asked == [OF_ORG] * 4


@cases(
    "page, reason",
    {
        "a value that is no base64": (
            {"details": {"totalResult": "1"}, "result": [{"key": "a", "value": "?"}]},
            "expected base64, got '?'",
        ),
        "a sequence that is no number": (
            {
                "details": {"totalResult": "1"},
                "result": [{"key": "a", "details": {"sequence": "x"}}],
            },
            "expected a list of metadata: context.metadata[0].sequence: expected an integer from "
            "0 to 9223372036854775807, got 'x'",
        ),
        "a total that is no number": (
            {"details": {"totalResult": "x"}},
            "expected a list of metadata as JSON; is it a ZITADEL?",
        ),
    },
)
async def test_a_list_that_does_not_fit_is_told(
    upstream: MetadataApi, lists: UpstreamMetadata, page: object, reason: str
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response(page)

    upstream.faults = [answer]
    text = await failure(lists, Place(by_token(upstream), ORG))
    assert text == f"metadata of organisation 900: {reason}"


async def test_a_key_that_is_refused_is_told(
    upstream: MetadataApi, lists: UpstreamMetadata
) -> None:
    account = by_key(upstream)
    upstream.pair = MetadataApi().pair
    text = await failure(lists, Place(account, ORG))
    reason = "ZITADEL answered 400 to the key of the service account"
    assert text == f"metadata of organisation 900: {reason}"
    assert upstream.asked == [TOKEN_PATH]


async def test_a_zitadel_that_is_down_is_told(
    upstream: MetadataApi, lists: UpstreamMetadata
) -> None:
    account = replace(by_token(upstream), issuer="http://127.0.0.1:1")
    text = await failure(lists, Place(account, ORG))
    assert text.startswith("metadata of organisation 900: ZITADEL: cannot connect: ")


async def test_a_slow_zitadel_is_waited_for_as_long_as_the_call_allows(
    upstream: MetadataApi, lists: UpstreamMetadata
) -> None:
    left = asyncio.Event()

    async def never(request: web.Request) -> web.StreamResponse:
        await left.wait()
        return web.Response()

    upstream.faults = [never]
    place = Place(by_token(upstream), ORG)
    text = await failure(lists, place, within_s=0.05)
    assert text == "metadata of organisation 900: no answer within 0.05 s"
    left.set()


async def test_a_read_ends_by_its_own_deadline(
    upstream: MetadataApi, lists: UpstreamMetadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "READ_MAX_S", 0.05)
    left = asyncio.Event()

    async def never(request: web.Request) -> web.StreamResponse:
        await left.wait()
        return web.Response()

    upstream.faults = [never]
    text = await failure(lists, Place(by_token(upstream), ORG))
    assert text == "metadata of organisation 900: no answer within 0.05 s"
    left.set()


async def test_a_large_answer_is_not_held(upstream: MetadataApi, lists: UpstreamMetadata) -> None:
    async def large(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b" " * (account_client.ANSWER_MAX_BYTES + 1))

    upstream.faults = [large]
    text = await failure(lists, Place(by_token(upstream), ORG))
    assert text.endswith("expected at most 2097152 bytes, got more")


async def test_a_large_list_is_refused(upstream: MetadataApi, lists: UpstreamMetadata) -> None:
    upstream.orgs[ORG] = {f"key {number}": b"x" * 300_000 for number in range(3)}
    text = await failure(lists, Place(by_token(upstream), ORG))
    assert text.endswith("expected at most 1048576 bytes, got more")


async def test_an_id_that_is_no_header_asks_nothing(
    upstream: MetadataApi, lists: UpstreamMetadata
) -> None:
    text = await failure(lists, Place(by_token(upstream), "9\r\nx: y"))
    assert text.endswith("expected an id of printable characters")
    assert upstream.asked == []


async def test_an_id_of_a_user_is_one_segment_of_the_path(
    upstream: MetadataApi, lists: UpstreamMetadata
) -> None:
    await keys(lists, Place(by_token(upstream), ORG, "../../orgs/me?"))
    (asked,) = upstream.asked
    assert asked == "/management/v1/users/../../orgs/me?/metadata/_search 900"


def call(lists: UpstreamMetadata, upstream: MetadataApi, *, has_user: bool = False) -> CallMetadata:
    own = Place(by_token(upstream), ORG, USER)
    return CallMetadata(lists, own, granting={OTHER}, has_user=has_user, within_s=30)


async def test_a_call_reads_the_lists_of_its_user_and_organisations(
    upstream: MetadataApi, lists: UpstreamMetadata
) -> None:
    made = call(lists, upstream)
    assert made.parts == {ORG_PART, USER_PART}
    await made.read(ORG_PART, "")
    await made.read(ORG_PART, OTHER)
    await made.read(USER_PART, "")
    assert upstream.asked == [OF_ORG, "/management/v1/metadata/_search 901", OF_USER]


async def test_a_call_reads_no_list_of_another_organisation(
    upstream: MetadataApi, lists: UpstreamMetadata
) -> None:
    with pytest.raises(NoMetadata, match="granted nothing to the user"):
        await call(lists, upstream).read(ORG_PART, "902")
    assert upstream.asked == []


async def test_a_call_that_has_the_metadata_of_its_user_does_not_offer_it(
    upstream: MetadataApi, lists: UpstreamMetadata
) -> None:
    assert call(lists, upstream, has_user=True).parts == {ORG_PART}


async def test_metadata_that_a_run_sets_is_read_again(
    upstream: MetadataApi, lists: UpstreamMetadata
) -> None:
    made = call(lists, upstream)
    await made.read(USER_PART, "")
    made.user_changes()
    await made.read(USER_PART, "")
    assert upstream.asked == [OF_USER, OF_USER]
