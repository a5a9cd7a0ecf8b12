"""Changes the deprecated lists of `api`: arrays that check each entry."""

import pytest

from server.scripts.contract import MetadataEffect
from server.triggers import Trigger
from tests.support.tables import by_outcome, cases
from tests.unit.server.scripts.runner import LOG, Runner, executor_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


INVALID_GRANTS: dict[str, dict[str, str]] = {
    "exactly one argument expected": {"none": "api.v1.appendUserGrant()"},
    "projectId not set": {"no project": "api.v1.appendUserGrant({roles: []})"},
    "projectID not set": {
        "nothing in the list": "api.userGrants.push({})",
        "other names in the list": "api.userGrants.push({ProjectID: 'p', Roles: []})",
        "empty in the list": "api.userGrants.push({projectID: ''})",
    },
    "TypeError: userGrants: expected projectID and projectGrantID as strings": {
        "project of another type": "api.userGrants.push({projectID: 5})"
    },
    "TypeError: userGrants: expected an object, got string": {
        "no object": "api.userGrants.push('x')"
    },
    "RangeError: userGrants[5]: expected an index of at most 0": {
        "hole": "api.userGrants[5] = {projectID: 'p'}"
    },
}


@by_outcome("source, text", INVALID_GRANTS)
async def test_an_invalid_grant_is_refused(runner: Runner, source: str, text: str) -> None:
    failure = await runner.failure(f"function f(ctx, api) {{ {source} }}", trigger=(1, 3))
    assert failure.text.startswith(f"{text} at f (<eval>:1:")


async def test_a_grant_that_is_refused_is_not_added(runner: Runner) -> None:
    source = """function f(ctx, api) {
      try { api.userGrants.push({ Roles: ['r'] }) } catch (e) { log(e.message) }
      api.userGrants.push({ projectID: 'p' });
    }"""
    result = await runner.run(f"{LOG}; {source}", trigger=(1, 3))
    assert result.actions[0].logs[0].text == "projectID not set"
    assert [grant.project_id for grant in result.effects.grants] == ["p"]


async def test_a_list_is_there_after_an_action_that_logged() -> None:
    """The next context has the files of the log compiled before it gets its lists."""
    source = "function f(ctx, api) { api.v1.user.appendMetadata('k', api.metadata.length) }"
    async with executor_of(workers=1) as executor:
        runner = Runner(executor)
        await runner.one("function f() { console.log('x') }", trigger=(1, 1))
        assert (await runner.effects(source, trigger=(1, 1))).metadata == (
            MetadataEffect("k", b"0"),
        )


HOLES: dict[str, dict[str, str]] = {
    "RangeError: metadata.length: expected at most 1, got 3": {"longer": "api.metadata.length = 3"},
    "RangeError: metadata[1]: expected an index of at most 0": {
        "shorter while an entry is read": "api.metadata[1] = { get key() { api.metadata.pop();"
        " return 'b' } }"
    },
    "Error: own": {
        "a length that throws": "api.metadata.length = { valueOf() { throw new Error('own') } }"
    },
}


@by_outcome("source, text", HOLES)
async def test_a_list_has_no_holes(runner: Runner, source: str, text: str) -> None:
    push = "api.metadata.push({ key: 'a', value: [1] })"
    failure = await runner.failure(f"function f(ctx, api) {{ {push}; {source} }}", trigger=(1, 1))
    assert failure.text.startswith(f"{text} at ")


async def test_the_length_of_a_list_is_read_once(runner: Runner) -> None:
    source = """function f(ctx, api) {
      api.metadata.push({ key: 'a', value: [1] });
      let asked = 0;
      api.metadata.length = { valueOf: () => asked++ };
      api.metadata.push({ key: 'b', value: [2] });
    }"""
    found = (await runner.effects(source, trigger=(1, 1))).metadata
    assert [entry.key for entry in found] == ["b"]


async def test_the_list_of_metadata_is_an_array_for_all_actions(runner: Runner) -> None:
    first = """function f(ctx, api) {
      api.metadata.push({ key: 'a', value: [1] }, { key: 'b', value: 'text' }, { key: 'c' });
      api.v1.user.appendMetadata('d', 4);
      api.metadata.splice(0, 1);
    }"""
    second = (
        "function f(ctx, api) { api.metadata.pop(); api.metadata.push({ key: 'e', value: [] }) }"
    )
    found = (await runner.run(first, second, trigger=(1, 1))).effects.metadata
    stored = [(entry.key, entry.value) for entry in found]
    assert stored == [("b", b'"text"'), ("c", b"null"), ("e", b"[]")]


METADATA_TRIGGERS = [(1, 1), (1, 2), (3, 1), (3, 2)]


@pytest.mark.parametrize("trigger", METADATA_TRIGGERS)
@pytest.mark.parametrize(
    ("value", "stored"),
    [
        pytest.param("'de'", b'"de"', id="text"),
        pytest.param("[100, 101]", b"[100,101]", id="array of octets"),
        pytest.param("5", b"5", id="number"),
        pytest.param("new Uint8Array([104, 105])", b'"aGk="', id="octets"),
        pytest.param("{ b: '<', a: true }", b'{"a":true,"b":"\\u003c"}', id="object"),
        pytest.param("undefined", b"null", id="nothing"),
    ],
)
async def test_metadata_that_is_pushed_is_stored_as_json(
    runner: Runner, trigger: Trigger, value: str, stored: bytes
) -> None:
    push = f"api.metadata.push({{ key: 'k', value: {value} }})"
    append = f"api.v1.user.appendMetadata('k', {value})"
    found = await runner.effects(f"function f(ctx, api) {{ {push}; {append} }}", trigger=trigger)
    assert [entry.value for entry in found.metadata] == [stored, stored]


@pytest.mark.parametrize("trigger", METADATA_TRIGGERS)
@pytest.mark.parametrize(
    ("value", "stored"),
    [
        pytest.param("'dé'", b"d\xc3\xa9", id="text"),
        pytest.param("[0, 255]", b"\x00\xff", id="array"),
        pytest.param("new Uint8Array([104, 105])", b"hi", id="Uint8Array"),
    ],
)
async def test_raw_metadata_is_stored_as_it_is(
    runner: Runner, trigger: Trigger, value: str, stored: bytes
) -> None:
    source = f"function f(ctx, api) {{ api.v1.user.appendMetadataRaw('k', {value}) }}"
    found = await runner.effects(source, trigger=trigger)
    assert [entry.value for entry in found.metadata] == [stored]


@cases(
    "arguments, text",
    {
        "none": ("", "exactly 2 (key, value) arguments expected"),
        "one": ("'k'", "exactly 2 (key, value) arguments expected"),
        "three": ("'k', 'x', 1", "exactly 2 (key, value) arguments expected"),
        "no text": ("'k', ''", "value must not be empty"),
        "no octets": ("'k', []", "value must not be empty"),
        "empty Uint8Array": ("'k', new Uint8Array()", "value must not be empty"),
        "null": ("'k', null", "value must be a string or byte array"),
        "like": ("'k', { 0: 1, length: 1 }", "value must be a string or byte array"),
        "Int8": ("'k', new Int8Array(1)", "value must be a string or byte array"),
        "256": ("'k', [256]", "array value must only contain integers between 0 and 255"),
        "1.5": ("'k', [1.5]", "array value must only contain integers between 0 and 255"),
        "text in it": ("'k', ['1']", "array value must only contain integers between 0 and 255"),
        "key": ("5, 'x'", "TypeError: metadata key: expected a string, got number"),
    },
)
async def test_invalid_raw_metadata_is_refused(runner: Runner, arguments: str, text: str) -> None:
    source = f"function f(ctx, api) {{ api.v1.user.appendMetadataRaw({arguments}) }}"
    failure = await runner.failure(source, trigger=(3, 1))
    assert failure.text.startswith(f"{text} at f (<eval>:1:")


async def test_later_actions_read_metadata_and_move_it_unchanged(runner: Runner) -> None:
    first = """function f(ctx, api) {
      const { appendMetadata, appendMetadataRaw } = api.v1.user;
      appendMetadata('json', { b: 1, a: '<' }); appendMetadataRaw('text', 'dé');
      appendMetadataRaw('octets', [0, 255]); appendMetadataRaw('spaced', '[ 1 ]');
    }"""
    second = """function f(ctx, api) {
      require('zitadel/log').log('%j', api.metadata.map((entry) => entry.value));
      api.metadata.reverse();
      api.metadata.splice(0, 0, api.metadata.pop());
    }"""
    result = await runner.run(first, second, trigger=(1, 2))
    assert result.actions[1].logs[0].text == '[{"a":"<","b":1},"dé",[0,255],[1]]'
    assert {entry.key: entry.value for entry in result.effects.metadata} == {
        "json": b'{"a":"\\u003c","b":1}',
        "spaced": b"[ 1 ]",
        "octets": b"\x00\xff",
        "text": b"d\xc3\xa9",
    }
    assert [entry.key for entry in result.effects.metadata] == ["json", "spaced", "octets", "text"]
