"""Runs several actions in real processes: their order, time and processes."""

from dataclasses import replace

import pytest

from server.scripts.contract import (
    EVALUATE_MAX_NS,
    RUN_TIMEOUT_MAX_NS,
    BadContext,
    JsonValue,
    Script,
    UnknownTrigger,
)
from server.scripts.host.executor import SOURCE_MAX_BYTES
from server.triggers import Trigger
from tests.support.tables import cases
from tests.unit.server.scripts.runner import LOG, Runner, action

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLOW = "function f() { for (;;); }"
FAST = "function f(ctx, api) { api.v1.claims.setClaim('k', 1) }"
FAILS = "function f() { throw new Error('no') }"


@pytest.mark.parametrize(
    ("stored", "effective"),
    [
        pytest.param(0, RUN_TIMEOUT_MAX_NS, id="unset"),
        pytest.param(-1, RUN_TIMEOUT_MAX_NS, id="negative"),
        pytest.param(1, 1, id="least"),
        pytest.param(RUN_TIMEOUT_MAX_NS - 1, RUN_TIMEOUT_MAX_NS - 1, id="just below the most"),
        pytest.param(RUN_TIMEOUT_MAX_NS, RUN_TIMEOUT_MAX_NS, id="the most"),
        pytest.param(2**63 - 1, RUN_TIMEOUT_MAX_NS, id="more"),
    ],
)
async def test_a_timeout_is_the_stored_one_if_it_is_below_20_s(stored: int, effective: int) -> None:
    assert Script("id", "f", "", timeout_ns=stored).effective_timeout_ns == effective


async def test_actions_run_in_order_and_share_what_they_collect(runner: Runner) -> None:
    result = await runner.run(
        "function f(ctx, api) { api.v1.claims.setClaim('a', 1) }",
        "function f(ctx, api) { api.v1.claims.setClaim('b', ctx.v1.claims.a + 1) }",
        "function f(ctx, api) { api.v1.claims.setClaim('c', ctx.v1.claims.b + 1) }",
    )
    assert dict(result.effects.claims) == {"a": 1, "b": 2, "c": 3}


async def test_actions_share_no_context(runner: Runner) -> None:
    leaving = "globalThis.left = 1; Array.prototype.left = 1; function f(ctx) { ctx.left = 1 }"
    looking = """function f(ctx) {
      require('zitadel/log').log(typeof left, typeof [].left, typeof ctx.left);
    }"""
    result = await runner.run(leaving, looking)
    assert result.actions[1].logs[0].text == "undefined undefined undefined"


async def test_a_failure_ends_the_run(runner: Runner) -> None:
    result = await runner.run(FAST, FAILS, FAST)
    assert len(result.actions) == 2
    assert result.failed is result.actions[1]


async def test_a_failure_that_is_allowed_does_not_end_the_run(runner: Runner) -> None:
    result = await runner.run(replace(action(FAILS), allowed_to_fail=True), FAST)
    assert result.failed is None
    assert result.actions[0].failure is not None
    assert result.actions[1].failure is None


@pytest.mark.parametrize(
    ("source", "name"),
    [
        pytest.param("function f() {}", "f", id="declaration"),
        pytest.param("var f = function () {}", "f", id="var"),
        pytest.param("const f = () => {}", "f", id="const"),
        pytest.param("let f = () => {}", "f", id="let"),
        pytest.param("globalThis.f = () => {}", "f", id="property"),
        pytest.param("globalThis['a b'] = () => {}", "a b", id="name with a space"),
        pytest.param("this['a\"]; while (1); //'] = () => {}", 'a"]; while (1); //', id="code"),
        pytest.param("function $ä_1() {}", "$ä_1", id="any identifier"),
    ],
)
async def test_the_function_is_the_global_of_the_name(
    runner: Runner, source: str, name: str
) -> None:
    assert (await runner.one(source, name=name)).failure is None


@pytest.mark.parametrize("name", ["", "a b", "class", "1", "missing", "\0", "\ud800"])
async def test_a_name_without_a_function_is_reported(runner: Runner, name: str) -> None:
    failure = (await runner.one(FAST, name=name)).failure
    assert failure is not None
    assert failure.text.startswith("function not found: expected ")


async def test_a_slow_script_is_ended_and_the_next_run_is_served(runner: Runner) -> None:
    slow = await runner.one(SLOW, timeout_ms=100)
    assert slow.failure is not None
    assert (slow.failure.timed_out, slow.failure.killed) == (True, True)
    assert (await runner.one(FAST)).failure is None


async def test_evaluating_has_its_own_limit(runner: Runner) -> None:
    failure = await runner.failure("for (;;);")
    assert (
        failure.text
        == f"interrupt: the script was not evaluated within {EVALUATE_MAX_NS / 1e9:g} s"
    )


async def test_a_large_context_is_read(runner: Runner) -> None:
    roles: JsonValue = [{"roles": [f"role {n}"]} for n in range(1000)]
    source = "function f(ctx) { log(ctx.v1.user.grants.count) }"
    assert await runner.logged(source, context={"userGrants": roles}) == "1000"


@pytest.mark.parametrize("trigger", [(0, 1), (1, 4), (2, 1), (4, 5), (5, 1)])
async def test_a_trigger_that_does_not_exist_is_refused(runner: Runner, trigger: Trigger) -> None:
    with pytest.raises(UnknownTrigger, match=f"flow {trigger[0]} has no trigger {trigger[1]}"):
        await runner.run(FAST, trigger=trigger, context={})


async def test_a_context_of_the_wrong_kind_runs_nothing(runner: Runner) -> None:
    with pytest.raises(BadContext, match=r"context\.user\.id: expected a string, got 5"):
        await runner.run(FAST, context={"user": {"id": 5}})


async def test_a_run_without_actions_does_nothing(runner: Runner) -> None:
    result = await runner.run()
    assert (result.actions, result.failed, dict(result.effects.claims)) == ((), None, {})


async def test_a_run_with_too_many_effects_fails_with_that_reason(runner: Runner) -> None:
    large = "function f(ctx, api) { for (let i = 0; i < 3; i++) { " + (
        "api.v1.claims.appendLogIntoClaims('é'.repeat(250000)) } }"
    )
    result = await runner.run(large, large, large)
    assert result.failed is not None
    assert result.failed.failure is not None
    assert result.failed.failure.text == "the effects of the run are more than 4194304 bytes"


async def test_later_actions_get_all_effects_that_a_run_may_have(runner: Runner) -> None:
    quotes = """function f(ctx, api) {
      const before = Object.keys(ctx.v1.claims).length;
      for (let i = 0; i < 4; i++) api.v1.claims.setClaim(`k${before + i}`, '"'.repeat(110_000));
    }"""
    told = "function f(ctx) { log(Object.values(ctx.v1.claims).join('').length) }"
    context: JsonValue = {"claims": {}}
    result = await runner.run(quotes, quotes, quotes, quotes, f"{LOG}; {told}", context=context)
    assert [line.text for line in result.actions[-1].logs] == [f"{16 * 110_000}"]


async def test_a_script_that_is_too_large_is_refused(runner: Runner) -> None:
    failure = await runner.failure(" " * (SOURCE_MAX_BYTES + 1))
    assert failure.text == "the script has 2097153 bytes, expected at most 2097152"


@cases(
    "source, parses, has_function, text",
    {
        "good": (FAST, True, True, ""),
        "let": ("let f = () => 1", True, True, ""),
        "another name": ("function g() {}", True, False, ""),
        "does not parse": (
            "function f() {\n  return (\n}",
            False,
            False,
            "SyntaxError: unexpected token in expression: '}' at <eval>:3:1",
        ),
        "parses, and parses what does not": (
            "JSON.parse('{')",
            True,
            False,
            "SyntaxError: Expected property name or '}' in JSON at position 1 (line 1 column 2)"
            " at <eval>:1:5",
        ),
        "network": (
            "require('zitadel/http').fetch('http://example.com')",
            True,
            False,
            "fetch: a script that is only checked has no network at <eval>:1:24",
        ),
        "empty": ("", True, False, ""),
    },
)
async def test_a_check_reports_if_a_script_would_run(
    runner: Runner, source: str, parses: bool, has_function: bool, text: str
) -> None:
    found = await runner.executor.check(source, "f")
    said = found.failure.text if found.failure else ""
    assert (found.parses, found.has_function, said) == (parses, has_function, text)
