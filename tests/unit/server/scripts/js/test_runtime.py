"""Compares what scripts see of the engine with ZITADEL's, row by row.

What a working script relied on is kept; what only hurt is better, as docs/differences.md tells.
"""

import pytest

from server.scripts.contract import JsonValue, Script
from server.scripts.protocol import SHIM_LINE
from tests.support.tables import by_outcome, cases
from tests.unit.server.scripts.runner import Runner

pytestmark = pytest.mark.asyncio(loop_scope="module")


# --- 1. errors of the host


@cases(
    "call, text",
    {
        "count of arguments": (
            "api.v1.user.setMetadata('k')",
            "exactly 2 (key, value) arguments expected",
        ),
        "denied host": (
            "require('zitadel/http').fetch('http://10.0.0.1/')",
            "host is denied (ACTIO-N72d0)",
        ),
        "no url": ("require('zitadel/http').fetch()", "no url provided"),
        "unknown module": ("require('nothing')", "Invalid module"),
        "uuid": ("require('zitadel/uuid').v4(1)", "invalid arg count"),
    },
)
async def test_an_error_of_the_host_ends_the_action_with_the_bare_text(
    runner: Runner, call: str, text: str
) -> None:
    failure = await runner.failure(f"function f(ctx, api) {{\n  {call}\n}}")
    assert failure.text.startswith(f"{text} at f (<eval>:2:")


async def test_an_error_of_the_host_can_be_caught(runner: Runner) -> None:
    source = (
        "function f(ctx, api) { try { api.v1.user.setMetadata() } catch (e) { log(e.message) } }"
    )
    assert await runner.logged(source) == "exactly 2 (key, value) arguments expected"


async def test_an_error_of_the_host_runs_finally(runner: Runner) -> None:
    source = """function f(ctx, api) {
      try { api.v1.user.setMetadata() } finally { api.v1.claims.setClaim('done', true) }
    }"""
    result = await runner.run(source)
    assert (result.failed is not None, dict(result.effects.claims)) == (True, {"done": True})


# --- 2. promises


async def test_promises_are_worked_off_after_the_function(runner: Runner) -> None:
    source = """function f(ctx, api) {
      Promise.resolve(1).then((v) => v + 1).then((v) => api.v1.claims.setClaim('v', v));
      api.v1.claims.setClaim('first', true);
    }"""
    found = await runner.effects(source, trigger=(2, 4))
    assert list(found.claims.items()) == [("first", True), ("v", 2)]


async def test_an_async_action_fails_with_its_effects_done(runner: Runner) -> None:
    source = """async function f(ctx, api) {
      await null;
      api.v1.claims.setClaim('v', 1);
    }"""
    result = await runner.run(source)
    assert result.failed is not None
    assert result.failed.failure is not None
    assert result.failed.failure.text == (
        'could not convert [object Promise] to error: "f" is async or returns a promise, '
        "and nothing awaits it"
    )
    assert dict(result.effects.claims) == {"v": 1}


async def test_an_unhandled_rejection_is_ignored(runner: Runner) -> None:
    source = "function f() { Promise.reject(new Error('no')); new Promise(() => { throw 1 }) }"
    assert (await runner.one(source)).failure is None


@pytest.mark.parametrize("name", ["setTimeout", "setInterval", "setImmediate"])
async def test_there_are_no_timers(runner: Runner, name: str) -> None:
    assert await runner.logged(f"function f() {{ log(typeof {name}) }}") == "undefined"


# --- 3. enumerations and texts are primitives


@cases(
    "expression, expected",
    {
        "loosely equal": ("ctx.v1.getUser().state == 1", "true"),
        "strictly equal": ("ctx.v1.getUser().state === 1", "true"),
        "type of a text": ("typeof ctx.v1.getUser().human.email", "string"),
        "type of a number": ("typeof ctx.v1.getUser().human.gender", "number"),
        "length": ("ctx.v1.getUser().human.email.length", "15"),
        "includes": ("[1, 2].includes(ctx.v1.getUser().state)", "true"),
        "switch": (
            "(() => { switch (ctx.v1.getUser().state) { case 1: return 'active' } })()",
            "active",
        ),
    },
)
async def test_a_value_that_zitadel_wraps_is_a_primitive(
    runner: Runner, expression: str, expected: str
) -> None:
    assert await runner.logged(f"function f(ctx) {{ log({expression}) }}") == expected


# --- 5. large integers, addresses, namespaces


async def test_integers_of_64_bits_are_numbers(runner: Runner) -> None:
    context: JsonValue = {"user": {"sequence": "9007199254740993"}}
    source = "function f(ctx) { const s = ctx.v1.getUser().sequence; log(typeof s, s) }"
    assert await runner.logged(source, context=context) == "number 9007199254740992"


async def test_an_address_is_its_dotted_text(runner: Runner) -> None:
    source = """function f(ctx) {
      const ip = ctx.v1.authRequest.browserInfo.remoteIp;
      log(String(ip), JSON.stringify({ ip }));
    }"""
    assert await runner.logged(source, trigger=(3, 1)) == '192.0.2.7 {"ip":"192.0.2.7"}'


async def test_namespaces_of_uuid_are_their_text(runner: Runner) -> None:
    source = """function f() {
      const u = require('zitadel/uuid');
      log(String(u.namespaceDNS)); log(u.v3(u.namespaceDNS, 'www.example.com'));
      log(u.v5(u.namespaceURL, 'é')); log(u.namespaceOID, u.namespaceX500);
    }"""
    assert (await runner.logged(source)).split("\n") == [
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "5df41881-3aed-3515-88a7-2f4a814cf09e",
        "10e1d6de-dc68-53f0-883a-30ec870dd739",
        "6ba7b812-9dad-11d1-80b4-00c04fd430c8 6ba7b814-9dad-11d1-80b4-00c04fd430c8",
    ]


# --- 6. arrays and typed objects of ctx


async def test_arrays_of_ctx_are_arrays(runner: Runner) -> None:
    source = """function f(ctx) {
      const roles = ctx.v1.user.grants.grants[0].roles;
      roles.push('more'); roles.sort().reverse();
      log(Array.isArray(roles), roles.map((r) => r.toUpperCase()).join());
    }"""
    assert await runner.logged(source) == "true VIEWER,MORE,ADMIN"


async def test_a_typed_object_takes_no_new_key(runner: Runner) -> None:
    source = """function f(ctx) {
      const user = ctx.v1.getUser();
      user.more = 1; user.username = 'other';
      log(user.more, user.username, Object.keys(user.human).length);
      (function () { 'use strict'; try { user.more = 1 } catch (e) { log(e.name) } })();
    }"""
    assert await runner.logged(source) == "undefined other 11\nTypeError"


async def test_a_member_that_is_made_when_it_is_read_is_made_once_and_can_be_replaced(
    runner: Runner,
) -> None:
    source = """function f(ctx, api) {
      const { v1 } = Object.freeze(ctx);
      log(v1.claims === v1.claims, v1.user.grants === v1.user.grants);
      v1.claims = 5; v1.actor = undefined; delete v1.user.grants;
      log(JSON.stringify([v1.claims, v1.actor, v1.user]));
    }"""
    assert await runner.logged(source) == "true true\n[5,null,{}]"


async def test_two_reads_give_two_objects(runner: Runner) -> None:
    source = "function f(ctx) { log(ctx.v1.getUser() === ctx.v1.getUser()) }"
    assert await runner.logged(source) == "false"


# --- 7. texts of errors


@pytest.mark.parametrize("line", [SHIM_LINE - 1, SHIM_LINE, SHIM_LINE + 1, 25_000])
@cases(
    "before, source, place",
    {
        "function": ("", "function f() { throw new Error('x') }", "f (<eval>:{}:26)"),
        "function that is called": (
            "function f() { g() }",
            "function g() { null.x }",
            "g (<eval>:{}:16)",
        ),
        "value that is refused": (
            "",
            "function f(ctx, api) { api.v1.claims.setClaim('k', NaN) }",
            "f (<eval>:{}:52)",
        ),
        "script": ("", "null.x", "<eval>:{}:1"),
        "syntax": ("", "function f( {", "<eval>:{}:14"),
    },
)
async def test_a_long_script_has_its_places(
    runner: Runner, line: int, before: str, source: str, place: str
) -> None:
    failure = await runner.failure(before + "\n" * (line - 1) + source)
    assert failure.text.endswith(f" at {place.format(line)}")
    assert failure.line == line


@by_outcome(
    "source, failure",
    {
        ("Error: no at f (<eval>:2:13)", 2, 13): {
            "Error": "function f() {\n  throw new Error('no')\n}"
        },
        ("some error at <eval>:2:3", 2, 3): {"text": "function f() {\n  throw 'some error'\n}"},
        ("two at <eval>:3:3", 3, 3): {
            "one of two texts": "function f() {\n  if (0) throw 'one';\n  throw 'two'\n}"
        },
        ("TypeError: cannot read property 'x' of null at g (<eval>:2:16)", 2, 16): {
            "in a function that is called": "function f() { g() }\nfunction g() { null.x }"
        },
        ("ReferenceError: missing is not defined at f (<eval>:2:2)", 2, 2): {
            "undefined name": "function f() {\n missing() }"
        },
        ("SyntaxError: unexpected token in expression: ';' at <eval>:2:3", 2, 3): {
            "syntax": "let a =\n  ;"
        },
        ("TypeError: cannot read property 'x' of null at <eval>:2:1", 2, 1): {
            "while evaluated": "1;\nnull.x"
        },
        ("could not convert true to error", 0, 0): {"result": "function f() { return true }"},
        ('function not found: expected "f", the script has "g"', 0, 0): {
            "no function": "function g() {}"
        },
        ("could not convert 5 to a function", 0, 0): {"not a function": "var f = 5"},
        ("null at <eval>:1:16", 1, 16): {"null": "function f() { throw null }"},
        (
            "SyntaxError: Expected property name or '}' in JSON at position 1 (line 1 column 2)"
            " at f (<eval>:1:20)",
            1,
            20,
        ): {"a text that does not parse": "function f() { JSON.parse('{') }"},
    },
)
async def test_a_failure_has_its_reason_and_place(
    runner: Runner, source: str, failure: tuple[str, int, int]
) -> None:
    found = await runner.failure(source)
    assert (found.text, found.line, found.column) == failure


async def test_endless_recursion_ends_at_once(runner: Runner) -> None:
    failure = await runner.failure("function f() { f() }")
    assert failure.text.startswith("RangeError: Maximum call stack size exceeded at f (<eval>:1:")


async def test_a_time_out_says_interrupt(runner: Runner) -> None:
    failure = await runner.failure("function f() { for (;;); }", timeout_ms=50)
    assert (failure.text, failure.timed_out) == (
        "interrupt: the action was not done within 0.05 s",
        True,
    )


@pytest.mark.parametrize(
    "last",
    ["'\\ud800'", "10n ** 5000n", "Symbol()", "({ get a() { throw 1 } })", "new Proxy({}, {})"],
)
async def test_a_script_may_end_with_any_value(runner: Runner, last: str) -> None:
    assert (await runner.one(f"function f() {{}}; {last}")).failure is None


# --- 8. what the language has


@pytest.mark.parametrize(
    "expression",
    [
        "({ a: { b: 1 } }).a?.b",
        "(() => { let x; x ??= 1; return x })()",
        "new (class { #x = 1; get x() { return this.#x } })().x",
        "Number(1n)",
        "'xa'.replace(/(?<=x)a/, '1').slice(1)",
        "'2'.replaceAll('2', '1')",
        "[0, 1].at(-1)",
        "[2, 1].toSorted()[0]",
        "'a1'.match(/(?<n>\\d)/).groups.n",
        "typeof Promise.any === 'function' ? 1 : 0",
        "/\\p{Lu}/u.test('Ä') ? 1 : 0",
        "(function () { return this === globalThis ? 1 : 0 })()",
    ],
)
async def test_the_language_is_there(runner: Runner, expression: str) -> None:
    assert await runner.logged(f"function f() {{ log({expression}) }}") == "1"


@pytest.mark.parametrize(
    "name", ["process", "fetch", "Buffer", "URL", "TextEncoder", "Intl", "host", "setup"]
)
async def test_missing_globals_stay_missing(runner: Runner, name: str) -> None:
    assert await runner.logged(f"function f() {{ log(typeof {name}) }}") == "undefined"


async def test_no_module_can_be_imported(runner: Runner) -> None:
    source = """function f() {
      import('os').then(() => log('there'), () => log('refused'));
    }"""
    assert await runner.logged(source) in ("", "refused")


# --- 9. dates as text, effects of what failed


async def test_date_parse_takes_the_text_of_a_date(runner: Runner) -> None:
    source = "function f() { log(Date.parse('2025-03-04 05:06:07.123456789 +0000 UTC')) }"
    assert await runner.logged(source) == "1741064767123"


async def test_effects_of_an_action_that_failed_are_kept(runner: Runner) -> None:
    failing = "function f(ctx, api) { api.v1.claims.setClaim('k', 1); throw new Error('no') }"
    reading = "function f(ctx) { require('zitadel/log').log(ctx.v1.claims.k) }"
    allowed = Script("a", "f", failing, allowed_to_fail=True)
    result = await runner.run(allowed, reading)
    assert (dict(result.effects.claims), result.actions[1].logs[0].text) == ({"k": 1}, "1")


async def test_effects_before_a_time_out_are_kept(runner: Runner) -> None:
    endless = "function f(ctx, api) { api.v1.claims.setClaim('k', 1); for (;;); }"
    result = await runner.run(
        Script("a", "f", endless, timeout_ns=100_000_000, allowed_to_fail=True)
    )
    assert (result.failed, dict(result.effects.claims)) == (None, {"k": 1})
