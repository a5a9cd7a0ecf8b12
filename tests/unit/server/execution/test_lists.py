"""The deprecated lists of `api`: arrays, whose entries are checked as they come in."""

import pytest

from tests.unit.server.execution.runner import Runner

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        pytest.param("api.v1.appendUserGrant()", "exactly one argument expected", id="none"),
        pytest.param("api.v1.appendUserGrant({roles: []})", "projectId not set", id="no project"),
        pytest.param(
            "api.userGrants.push({projectID: 5})",
            "TypeError: userGrants: expected projectID and projectGrantID as strings",
            id="project of another type",
        ),
        pytest.param(
            "api.userGrants.push('x')",
            "TypeError: userGrants: expected an object, got string",
            id="no object",
        ),
        pytest.param(
            "api.userGrants[5] = {projectID: 'p'}",
            "RangeError: userGrants[5]: expected an index of at most 0",
            id="hole",
        ),
    ],
)
async def test_a_grant_that_is_none_is_refused(runner: Runner, source: str, text: str) -> None:
    failure = await runner.failure(f"function f(ctx, api) {{ {source} }}", trigger=(1, 3))
    assert failure.text.startswith(f"{text} at f (<eval>:1:")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        pytest.param(
            "api.metadata.length = 3",
            "RangeError: metadata.length: expected at most 1, got 3",
            id="longer",
        ),
        pytest.param(
            "api.metadata[1] = { get key() { api.metadata.pop(); return 'b' } }",
            "RangeError: metadata[1]: expected an index of at most 0",
            id="shorter while an entry is read",
        ),
        pytest.param(
            "api.metadata.length = { valueOf() { throw new Error('own') } }",
            "Error: own",
            id="a length that throws",
        ),
    ],
)
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
    assert [(entry.key, entry.value) for entry in found] == [("b", b"text"), ("c", b""), ("e", b"")]
