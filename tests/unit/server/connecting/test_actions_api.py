"""The reader and writer of a ZITADEL's Action API, against a stand-in and its faults."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web

from server.connecting.actions_api import JSON, ActionsApi, Execution, TargetForm, TargetThere
from server.connecting.errors import ConnectError
from server.zitadel_client import zitadel_client
from tests.support.tables import cases
from tests.support.upstream_actions import FUNCTIONS
from tests.support.upstream_api import TOKEN, Upstream, upstream

FORM = TargetForm("https://actions.example/targets/1", 2500, interrupts=True)


@pytest.fixture
async def there() -> AsyncIterator[Upstream]:
    async with upstream() as served:
        yield served


@pytest.fixture
async def api(there: Upstream) -> AsyncIterator[ActionsApi]:
    async with zitadel_client(there.url, TOKEN) as client:
        yield ActionsApi(client)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Notes the seconds that the client would wait; it does not."""
    waited: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        waited.append(seconds)
        await sleep(0)

    monkeypatch.setattr("server.zitadel_client.asyncio.sleep", noted)
    return waited


def answer(status: int, text: str = "", **headers: str) -> Callable[[web.Request], web.Response]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _request: web.Response(status=status, text=text, headers=named)


@cases("version, payload_type", {"v2": ("v2", "PAYLOAD_TYPE_JSON"), "v2beta": ("v2beta", "")})
async def test_what_is_made_is_listed(
    there: Upstream, api: ActionsApi, version: str, payload_type: str
) -> None:
    there.actions_v2.version = version
    assert (await api.read()).functions == {*FUNCTIONS}
    id, key = await api.create_target("actions", FORM)
    made = TargetThere(id, "actions", FORM.endpoint, 2500, True, True, JSON, signing_key=key)
    execution = Execution({"function": {"name": "preuserinfo"}}, (id,))
    await api.set_execution(execution)
    found = await api.read()
    assert (found.targets, found.executions) == ([made], [execution])
    assert FORM.fits(made)
    assert key not in repr(found)
    assert not TargetForm(FORM.endpoint, 2500, interrupts=False).fits(made)
    assert await api.new_key(id) not in ("", key)
    await api.delete_target(id)
    await api.delete_target(id)
    found = await api.read()
    assert (found.targets, found.executions) == ([], [])


async def test_targets_of_other_kinds_do_not_fit(there: Upstream, api: ActionsApi) -> None:
    id = there.actions_v2.add_target("hook", FORM.endpoint)
    (hook,) = (await api.read()).targets
    assert (hook.is_call, hook.interrupts, hook.timeout_ms) == (False, False, 5000)
    await api.update_target(id, FORM)
    (changed,) = (await api.read()).targets
    assert FORM.fits(changed)
    assert changed.name == "hook"


async def test_long_lists_are_read_in_pages(there: Upstream, api: ActionsApi) -> None:
    ids = [there.actions_v2.add_target(f"t{number}") for number in range(250)]
    for number in range(150):
        method = f'{{"request": {{"method": "/a/{number}"}}}}'
        there.actions_v2.executions[method] = [ids[0]]
    there.actions_v2.calls_at("preuserinfo", *ids)
    found = await api.read()
    assert [target.id for target in found.targets] == ids
    assert len(found.executions) == 151
    (at,) = [each for each in found.executions if each.named == "function preuserinfo"]
    assert at.target_ids == tuple(ids)


async def test_a_busy_zitadel_is_asked_again(
    there: Upstream, api: ActionsApi, waits: list[float]
) -> None:
    there.faults = [answer(429, Retry_After="3"), answer(503)]
    assert (await api.read()).functions == {*FUNCTIONS}
    assert waits == [3, 1]


async def test_a_target_is_not_created_twice(
    there: Upstream, api: ActionsApi, waits: list[float]
) -> None:
    there.faults = [answer(502, '{"message":"away"}')]
    with pytest.raises(ConnectError, match="answered 502: away"):
        await api.create_target("actions", FORM)
    assert (waits, there.actions_v2.done) == ([], [])


@cases(
    "fault, text",
    {
        "token": (answer(401, '{"message":"no"}'), "answered 401: no; is the token (--token-file)"),
        "role": (answer(403, "no"), "answered 403: no; the user of the token needs the role IAM_"),
        "no JSON": (answer(200, "<html>"), "expected an answer of the Action API as JSON; is it a"),
        "fields": (answer(200, '{"functions":5}'), "expected an answer of the Action API as JSON"),
        "elsewhere": (answer(302, Location="https://example.com/"), "answered 302: "),
    },
)
async def test_a_refusal_is_told_at_once(
    there: Upstream, api: ActionsApi, fault: Callable[[web.Request], web.Response], text: str
) -> None:
    there.faults = [fault]
    with pytest.raises(ConnectError) as raised:
        await api.read()
    assert str(raised.value).startswith(f"GET {there.url}/v2/actions/executions/functions: ")
    assert text in str(raised.value)
    assert TOKEN not in str(raised.value)
    assert len(there.asked) == 1


async def test_a_zitadel_without_actions_v2_is_told(there: Upstream, api: ActionsApi) -> None:
    there.actions_v2.version = "none"
    with pytest.raises(ConnectError, match="is it a ZITADEL that has Actions v2"):
        await api.read()


async def test_a_denied_endpoint_is_told(there: Upstream, api: ActionsApi) -> None:
    there.actions_v2.denies_private = True
    with pytest.raises(ConnectError, match=r"DeniedURL.*ZITADEL_HTTPCLIENT_DENYLIST there$"):
        await api.create_target("actions", TargetForm("http://127.0.0.1/", 1000, interrupts=True))


async def test_a_zitadel_that_is_away_is_told(waits: list[float]) -> None:
    async with zitadel_client("http://127.0.0.1:1", TOKEN) as client:
        with pytest.raises(ConnectError, match=r"127.0.0.1:1/.*cannot connect: .*\(6 attempts\)"):
            await ActionsApi(client).read()
