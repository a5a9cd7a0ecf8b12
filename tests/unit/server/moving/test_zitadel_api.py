"""The reader of a ZITADEL's API, against a stand-in and its faults."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web

from server.domain.action import ActionState
from server.moving.source import SourceError, SourceOrg
from server.moving.zitadel_api import ZitadelApi, zitadel_api
from server.triggers import FlowType
from server.zitadel_client import ANSWER_MAX_BYTES, ATTEMPTS_MAX
from tests.support.tables import cases
from tests.support.upstream_api import TOKEN, Upstream, action, upstream

ORG, OTHER = "100000000000000001", "100000000000000002"
ID = "281029384756019283"


@pytest.fixture
async def there() -> AsyncIterator[Upstream]:
    async with upstream() as served:
        yield served


@pytest.fixture
async def api(there: Upstream) -> AsyncIterator[ZitadelApi]:
    async with zitadel_api(there.url + "/", TOKEN) as opened:
        yield opened


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Notes the seconds that the reader would wait; it does not."""
    waited: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        waited.append(seconds)
        await sleep(0)

    monkeypatch.setattr("server.zitadel_client.asyncio.sleep", noted)
    return waited


async def read(api: ZitadelApi, *org_ids: str) -> list[SourceOrg]:
    return await api.read(org_ids, lambda _done, _total: None)


def answer(
    status: int, text: str = "", **headers: str
) -> Callable[[web.Request], web.StreamResponse]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _request: web.Response(status=status, text=text, headers=named)


async def test_all_organisations_are_read(there: Upstream, api: ZitadelApi) -> None:
    inactive = {"state": "ACTION_STATE_INACTIVE", "allowedToFail": True, "timeout": "2.5s"}
    there.orgs = {ORG: [action("9", "z"), action(ID, "a", **inactive)], OTHER: []}
    there.flows = {(ORG, 2): {4: [ID, "9"], 5: ["9"]}, (ORG, 4): {6: []}}
    one, other = await read(api)
    assert (one.id, one.name, other.id) == (ORG, f"Org {ORG}", OTHER)
    first, second = one.actions
    assert (first.id, first.state, first.timeout_ns) == (ID, ActionState.INACTIVE, 2_500_000_000)
    assert first.allowed_to_fail
    assert (second.id, second.state) == ("9", ActionState.ACTIVE)
    assert one.triggers == {(2, 4): (ID, "9"), (2, 5): ("9",)}
    assert one.flows == frozenset(FlowType)
    assert list(one.flows_changed_at) == [
        FlowType.CUSTOMISE_TOKEN,
        FlowType.CUSTOMISE_SAML_RESPONSE,
    ]


async def test_an_id_tells_when_its_action_was_made(there: Upstream, api: ZitadelApi) -> None:
    there.orgs = {ORG: [action(ID, "a"), action("no time", "b")]}
    (org,) = await read(api, ORG)
    by_id = {each.id: each for each in org.actions}
    assert by_id[ID].created_at == 1_724_002_566_490_000
    assert by_id[ID].changed_at == by_id["no time"].changed_at == 1_741_064_767_123_456
    assert by_id["no time"].created_at == by_id["no time"].changed_at


async def test_only_the_named_organisations_are_read(there: Upstream, api: ZitadelApi) -> None:
    there.orgs = {ORG: [], OTHER: []}
    assert [org.id for org in await read(api, OTHER)] == [OTHER]
    assert not any("/admin/" in asked for asked in there.asked)


async def test_long_lists_are_read_in_pages(there: Upstream, api: ZitadelApi) -> None:
    there.orgs = {ORG: [action(str(number), f"a{number}") for number in range(250)]}
    (org,) = await read(api, ORG)
    assert {each.id for each in org.actions} == {str(number) for number in range(250)}
    assert sum("actions/_search" in asked for asked in there.asked) == 3


async def test_a_list_that_changes_is_read_again(there: Upstream, api: ZitadelApi) -> None:
    actions = [action(str(number), f"a{number}") for number in range(150)]
    there.orgs = {ORG: actions}

    def change_once() -> None:
        there.after_page = lambda: None
        del actions[0]

    there.after_page = change_once
    (org,) = await read(api, ORG)
    assert {each.id for each in org.actions} == {str(number) for number in range(1, 150)}


async def test_a_list_that_changes_for_ever_is_refused(there: Upstream, api: ZitadelApi) -> None:
    actions = [action(str(number), f"a{number}") for number in range(150)]
    there.orgs = {ORG: actions}
    there.after_page = lambda: actions.append(action(f"x{len(actions)}", f"b{len(actions)}"))
    with pytest.raises(SourceError, match=f"organisation {ORG} changes while it is read"):
        await read(api, ORG)


async def test_a_flow_with_an_action_made_meanwhile_is_read_again(
    there: Upstream, api: ZitadelApi
) -> None:
    there.orgs = {ORG: [action("1", "a")]}

    def change_once() -> None:
        there.after_page = lambda: None
        there.orgs[ORG].append(action("2", "b"))
        there.flows = {(ORG, 1): {1: ["2"]}}

    there.after_page = change_once
    (org,) = await read(api, ORG)
    assert [each.id for each in org.actions] == ["1", "2"]
    assert org.triggers == {(1, 1): ("2",)}


@cases(
    "busy, wait_s",
    {
        "seconds": (answer(429, Retry_After="3"), 3.0),
        "too many seconds": (answer(429, Retry_After="86400"), 60.0),
        "a time that is past": (answer(503, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"), 0.0),
        "nothing": (answer(502), 0.5),
        "nonsense": (answer(504, Retry_After="soon"), 0.5),
    },
)
async def test_a_busy_server_is_asked_again(
    there: Upstream,
    api: ZitadelApi,
    waits: list[float],
    busy: Callable[[web.Request], web.StreamResponse],
    wait_s: float,
) -> None:
    there.orgs, there.faults = {ORG: []}, [busy]
    assert [org.id for org in await read(api, ORG)] == [ORG]
    assert waits == [wait_s]


async def test_a_server_that_stays_busy_is_given_up(
    there: Upstream, api: ZitadelApi, waits: list[float]
) -> None:
    there.faults = [answer(503, '{"message":"later"}')] * ATTEMPTS_MAX
    with pytest.raises(SourceError) as raised:
        await read(api)
    assert str(raised.value) == (
        f"POST {there.url}/admin/v1/orgs/_search: answered 503: later (6 attempts); try again later"
    )
    assert waits == [0.5, 1, 2, 4, 8]


@cases(
    "fault, text",
    {
        "token": (answer(401, '{"message":"no"}'), "answered 401: no; is the token (--token-file)"),
        "role": (
            answer(403, "no"),
            "answered 403: no; all organisations need a role of the instance",
        ),
        "path": (answer(404, "<p>\x1b[2J"), "answered 404: <p> [2J"),
        "elsewhere": (answer(302, Location="https://example.com/"), "answered 302: "),
        "no JSON": (answer(200, "<html>"), "expected ListOrgsResponse as JSON; is it a ZITADEL?"),
        "fields": (answer(200, '{"result":5}'), "expected ListOrgsResponse as JSON"),
    },
)
async def test_a_refusal_is_told_at_once(
    there: Upstream,
    api: ZitadelApi,
    fault: Callable[[web.Request], web.StreamResponse],
    text: str,
) -> None:
    there.faults = [fault]
    with pytest.raises(SourceError) as raised:
        await read(api)
    assert text in str(raised.value)
    assert TOKEN not in str(raised.value)
    assert len(there.asked) == 1


async def test_an_organisation_that_is_hidden_is_named(there: Upstream, api: ZitadelApi) -> None:
    there.orgs = {ORG: []}
    with pytest.raises(SourceError, match=f"may the user of the token read .* {OTHER}"):
        await read(api, ORG, OTHER)


async def test_an_answer_without_end_is_refused(there: Upstream, api: ZitadelApi) -> None:
    there.faults = [answer(200, " " * (ANSWER_MAX_BYTES + 1))]
    with pytest.raises(SourceError, match="expected an answer of at most"):
        await read(api)


async def test_a_server_that_is_away_is_told(waits: list[float]) -> None:
    async with zitadel_api("http://127.0.0.1:1", TOKEN) as api:
        with pytest.raises(SourceError, match=r"cannot connect: .*\(6 attempts\)"):
            await read(api)


def cut_before_the_answer(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def cut_in_the_answer(request: web.Request) -> web.StreamResponse:
    assert isinstance(request.transport, asyncio.Transport)
    request.transport.write(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"result":[')
    request.transport.close()
    return web.Response()


CUTS = {"before the answer": cut_before_the_answer, "in the answer": cut_in_the_answer}


async def filled(there: Upstream) -> int:
    """Fills two organisations; returns how many requests read them."""
    there.orgs = {ORG: [action(f"{n}", f"a{n}") for n in range(101)], OTHER: [action("900", "b")]}
    there.flows = {(ORG, 2): {4: ["1", "100"]}, (OTHER, 4): {6: ["900"]}}
    async with zitadel_api(there.url, TOKEN) as api:
        await read(api)
    count = len(there.asked)
    there.asked.clear()
    return count


@cases("cut", CUTS)
async def test_a_read_that_is_cut_once_at_any_request_is_whole(
    there: Upstream,
    api: ZitadelApi,
    waits: list[float],
    cut: Callable[[web.Request], web.StreamResponse],
) -> None:
    count = await filled(there)
    whole = await read(api)
    for number in range(1, count + 1):
        there.asked.clear()
        there.faults_at = {number: cut}
        assert await read(api) == whole
        assert len(there.asked) == count + 1
    assert count == 12


@cases("cut", CUTS)
async def test_a_read_that_is_cut_for_good_at_any_request_is_refused(
    there: Upstream,
    api: ZitadelApi,
    waits: list[float],
    cut: Callable[[web.Request], web.StreamResponse],
) -> None:
    for number in range(1, await filled(there) + 1):
        there.asked.clear()
        there.faults_at = dict.fromkeys(range(number, 200), cut)
        with pytest.raises(SourceError, match=r"\(6 attempts\); try again later") as raised:
            await read(api)
        assert TOKEN not in str(raised.value)


async def test_a_server_that_never_answers_is_left_in_time(
    waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.zitadel_client.REQUEST_TIMEOUT_S", 0.05)
    open_ones: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: open_ones.append(writer), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, zitadel_api(url, TOKEN) as api:
        with pytest.raises(SourceError, match=r"no answer within 0.05 s \(6 attempts\)"):
            await read(api)
        for writer in open_ones:
            writer.close()
