"""Reads texts of failures that name functions of the script."""

import pytest

from server.triggers import Trigger
from tests.support.tables import by_outcome, cases
from tests.unit.server.scripts.runner import Runner

pytestmark = pytest.mark.asyncio(loop_scope="module")


@cases(
    "source, found",
    {
        "nothing": ("", "the script has no function"),
        "a value": ("let x = 5; if (0) { throw x }", "the script has no function"),
        "function": ("function g() {}", 'the script has "g"'),
        "arrows": ("var g = () => 1; const h = () => 2", 'the script has "g", "h"'),
        "another case": ("const F = () => 1", 'the script has "F"'),
        "many": (
            "".join(f"function g{n}() {{}}" for n in range(7)),
            'the script has "g0", "g1", "g2", "g3", "g4" and 2 more',
        ),
        "odd name": ("globalThis['a\\nb'] = () => 1", 'the script has "a\\nb"'),
        "getter that throws": (
            "Object.defineProperty(this, 'g', { enumerable: true, get() { throw 1 } })",
            "",
        ),
    },
)
async def test_a_function_that_is_missing_is_named_with_those_there_are(
    runner: Runner, source: str, found: str
) -> None:
    failure = await runner.failure(source)
    expected = f'function not found: expected "f", {found}' if found else "function not found"
    assert (failure.text, failure.line) == (expected, 0)


@by_outcome(
    "script, text",
    {
        "api.v1.user.appendMetadatRaw is not a function": {
            "member": ((1, 1), "function f(ctx, api) { api.v1.user.appendMetadatRaw('a', 1) }"),
            "a name in the arguments": (
                (1, 1),
                "function f(ctx, api) {"
                " api.v1.user.appendMetadatRaw('k', ctx.v1.externalUser.human) }",
            ),
        },
        "api.setFirstNam is not a function": {
            "calls in the arguments": (
                (1, 1),
                "function f(ctx, api) { api.setFirstNam(String(ctx.getClaim('x'))) }",
            )
        },
        "a.v1.user.append is not a function": {
            "parameters of other names, over lines": (
                (1, 1),
                "const f = (context, a) => {\n  a\n    .v1.user\n"
                "    .append('k', context.idToken)\n}",
            )
        },
        "m.metadata.eac is not a function": {
            "member of a variable": (
                (2, 4),
                "function f(ctx, api) {"
                " const m = ctx.v1.org.getMetadata(); m.metadata.eac((x) => x) }",
            )
        },
        "require('zitadel/log').trace is not a function": {
            "member of a module": ((2, 4), "function f() { require('zitadel/log').trace('é', 1) }")
        },
        "x is not a function": {"top": ((2, 4), "let x = 1; x(); function f() {}")},
        "b.y or a.x is not a function": {
            "either of two": ((2, 4), "function f() { const a = {}, b = {}; a.x(b.y(1)) }")
        },
        "not a function": {
            "of the engine": ((2, 4), "function f() { [1].map(5) }"),
            "of the script": ((2, 4), "function f() { throw new TypeError('not a function') }"),
        },
    },
)
async def test_a_callee_that_is_not_a_function_is_named(
    runner: Runner, script: tuple[Trigger, str], text: str
) -> None:
    trigger, source = script
    failure = await runner.failure(source, trigger=trigger)
    assert failure.text.startswith(f"TypeError: {text} at ")


async def test_the_text_about_an_async_function_says_that_nothing_awaits_it(runner: Runner) -> None:
    failure = await runner.failure("async function f() {}")
    assert failure.text == (
        'could not convert [object Promise] to error: "f" is async or returns a promise, '
        "and nothing awaits it"
    )


@pytest.mark.parametrize(
    "text", ["function not found", "could not convert [object Promise] to error"]
)
async def test_a_text_that_a_script_throws_is_left_as_it_is(runner: Runner, text: str) -> None:
    failure = await runner.failure(f"function f() {{ throw '{text}' }}")
    assert failure.text == f"{text} at <eval>:1:16"


async def test_the_column_of_a_failure_is_that_of_the_character(runner: Runner) -> None:
    source = "function f() { '日本 é😀'; throw new Error('x') }"
    failure = await runner.failure(source)
    assert (failure.line, failure.column) == (1, source.index("Error") + 1)
