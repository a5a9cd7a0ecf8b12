"""Scripts read metadata that the context of their run lacks from a source, when they ask for it."""

import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from server.scripts.contract import BadContext, JsonValue, NoMetadata, Options, RunResult
from server.scripts.host import contexts
from server.scripts.host.executor import Executor
from server.scripts.host.metadata import RunMetadata
from server.triggers import PRE_SAML_RESPONSE
from tests.support.tables import cases
from tests.unit.server.scripts.runner import Runner

ORG, USER = "orgMetadata", "userMetadata"
LISTS: dict[tuple[str, str], JsonValue] = {
    (ORG, ""): [{"key": "tier", "value": "gold", "sequence": 7}],
    (ORG, "900"): [{"key": "limits", "value": '{"seats":5}'}],
    (USER, ""): [{"key": "a", "value": "there"}, {"key": "b", "value": "there"}],
}
GRANTS: JsonValue = [{"id": "g1", "userGrantResourceOwner": "900"}, {"id": "g2"}]


class Source:
    """Has some lists, and keeps what it is asked for."""

    def __init__(self, *parts: str) -> None:
        self.parts = frozenset(parts)
        self.asked: list[tuple[str, str]] = []

    async def read(self, part: str, org_id: str) -> bytes:
        self.asked.append((part, org_id))
        if (part, org_id) not in LISTS:
            raise NoMetadata(f"metadata of organisation {org_id}: ZITADEL answered 403")
        return contexts.metadata_json(LISTS[part, org_id])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def runner() -> AsyncIterator[Runner]:
    executor = Executor(Options())
    await executor.start()
    yield Runner(executor)
    await executor.close()


def claim(*values: str) -> Iterable[str]:
    for name, value in zip("xyz", values, strict=False):
        yield f"function f(ctx, api) {{ api.v1.claims.setClaim('{name}', {value}) }}"


async def token(runner: Runner, source: Source, *values: str, context: Any = None) -> RunResult:
    return await runner.run(*claim(*values), context=context or {}, metadata=source)


@pytest.mark.asyncio(loop_scope="module")
class TestRuns:
    async def test_metadata_of_the_organisation_is_read_when_a_script_asks(
        self, runner: Runner
    ) -> None:
        source = Source(ORG)
        value = "(m => [m.key, m.value, m.sequence])(ctx.v1.org.getMetadata().metadata[0])"
        result = await token(runner, source, value, "1")
        assert (result.failed, result.effects.claims) == (None, {"x": ["tier", "gold", 7], "y": 1})
        assert source.asked == [(ORG, "")]

    async def test_metadata_of_a_granting_organisation_is_of_that_organisation(
        self, runner: Runner
    ) -> None:
        source = Source(ORG)
        value = "ctx.v1.user.grants.grants[0].getOrgMetadata().metadata[0].value.seats"
        result = await token(runner, source, value, context={"userGrants": GRANTS})
        assert (result.failed, result.effects.claims) == (None, {"x": 5})
        assert source.asked == [(ORG, "900")]

    async def test_what_the_context_has_is_not_asked_for(self, runner: Runner) -> None:
        source = Source(ORG)
        context = {"userMetadata": [{"key": "a", "value": "given"}]}
        value = "ctx.v1.user.getMetadata().metadata[0].value"
        result = await token(runner, source, value, context=context)
        assert (result.effects.claims, source.asked) == ({"x": "given"}, [])

    async def test_a_read_that_fails_ends_the_action_with_its_text(self, runner: Runner) -> None:
        source = Source(ORG)
        value = "ctx.v1.user.grants.grants[0].getOrgMetadata()"
        context = {"userGrants": [{"userGrantResourceOwner": "404"}]}
        result = await token(runner, source, value, context=context)
        assert result.failed is not None
        assert result.failed.failure is not None
        text = "metadata of organisation 404: ZITADEL answered 403"
        assert result.failed.failure.text.startswith(text)

    async def test_metadata_that_actions_set_replaces_what_was_read(self, runner: Runner) -> None:
        source = Source(ORG, USER)
        seen = "ctx.v1.user.getMetadata().metadata.map(m => m.key + ':' + m.value).join()"
        set_two = "api.v1.user.setMetadata('b', 'first'); api.v1.user.setMetadata('c', 'first')"
        set_one = "api.v1.user.setMetadata('d', 'second')"
        scripts = (
            f"function f(ctx, api) {{ {set_two}; {attribute('x', seen)} }}",
            f"function f(ctx, api) {{ {set_one}; {attribute('y', seen)} }}",
        )
        result = await runner.run(*scripts, trigger=PRE_SAML_RESPONSE, context={}, metadata=source)
        assert result.failed is None
        x, y = (each.values[0] for each in result.effects.attributes)
        assert x == "a:there,b:first,c:first"
        assert y == "a:there,b:first,c:first,d:second"

    async def test_without_a_source_the_context_has_all(self, runner: Runner) -> None:
        result = await runner.run(*claim("ctx.v1.org.getMetadata().count"), context={})
        assert result.effects.claims == {"x": 0}


def attribute(name: str, value: str) -> str:
    return f"api.v1.attributes.setCustomAttribute('{name}', '', {value})"


@cases(
    "place",
    {"a part that the context has": "userMetadata/", "no part": "user/", "nothing": ""},
)
async def test_a_worker_gets_only_what_the_source_offers(place: str) -> None:
    source = Source(ORG)
    answered = json.loads(await RunMetadata(source).answer(json.dumps(place).encode()))
    assert answered == {"error": "metadata: the context has all that can be read"}
    assert source.asked == []


async def test_a_place_that_is_no_text_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        await RunMetadata(Source(ORG)).answer(b"7")


def test_a_list_is_complete() -> None:
    made = json.loads(
        contexts.metadata_json([{"key": "a", "creationDate": "2025-01-01T00:00:00+01:00"}])
    )
    assert made == {
        "count": 1,
        "sequence": 0,
        "timestamp": "0001-01-01T00:00:00Z",
        "metadata": [
            {
                "creationDate": "2024-12-31T23:00:00Z",
                "changeDate": "0001-01-01T00:00:00Z",
                "resourceOwner": "",
                "sequence": 0,
                "key": "a",
                "value": "",
            }
        ],
    }


def test_a_list_that_does_not_fit_is_refused() -> None:
    with pytest.raises(BadContext):
        contexts.metadata_json([{"key": 1}])
