"""Writes to the log of an action by scripts."""

import pytest

from tests.unit.server.scripts.runner import LOG, Runner

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        pytest.param("log('%s is %d, %j%%', 'x', '5', {a: 1})", 'x is 5, {"a":1}%', id="verbs"),
        pytest.param("log('a', 1, null, {})", "a 1 null [object Object]", id="rest"),
        pytest.param("log('%s %s', 1)", "1 %s", id="too few"),
        pytest.param("log('%x', 1)", "%x 1", id="unknown verb"),
        pytest.param("log()", "", id="nothing"),
        pytest.param("log(require('util').format('%s', 1))", "1", id="util"),
        pytest.param("require('console').log('x')", "x", id="console"),
    ],
)
async def test_log_formats(runner: Runner, call: str, expected: str) -> None:
    assert await runner.logged(f"function f() {{ {call} }}") == expected


async def test_log_has_levels(runner: Runner) -> None:
    source = """function f() {
      const l = require('zitadel/log');
      l.log('a'); l.info('b'); l.debug('c'); l.warn('d'); l.error('e');
    }"""
    result = await runner.one(source)
    assert [line.level for line in result.logs] == ["info", "info", "debug", "warn", "error"]


async def test_console_logs_as_the_module_does(runner: Runner) -> None:
    source = """console.log('%s of %d', 'at', 5);
    function f() {
      const { log, info, debug, warn, error } = console;
      log('a', {}); info('b'); debug('c'); warn('d'); error('%j', [1]);
    }"""
    result = await runner.one(source)
    assert [(line.level, line.text) for line in result.logs] == [
        ("info", "at of 5"),
        ("info", "a [object Object]"),
        ("info", "b"),
        ("debug", "c"),
        ("warn", "d"),
        ("error", "[1]"),
    ]


@pytest.mark.parametrize(
    "own",
    [
        "var console = { log: (text) => log('own ' + text) }",
        "let console = { log: (text) => log('own ' + text) }",
        "console = { log: (text) => log('own ' + text) }",
        "globalThis.console = { log: (text) => log('own ' + text) }",
        "function console() {} console.log = (text) => log('own ' + text)",
        "console.log = (text) => log('own ' + text)",
        "Object.defineProperty(this, 'console', { value: { log: (t) => log('own ' + t) } })",
    ],
)
async def test_a_script_that_has_its_own_console_keeps_it(runner: Runner, own: str) -> None:
    assert await runner.logged(f"{own}; function f() {{ console.log('x') }}") == "own x"


async def test_console_may_be_named_as_the_module(runner: Runner) -> None:
    source = "const console = require('console'); function f() { console.log('x') }"
    assert await runner.logged(source) == "x"


async def test_console_is_not_listed_among_the_globals(runner: Runner) -> None:
    source = "function f() { log(Object.keys(globalThis).includes('console')) }"
    assert await runner.logged(source) == "false"


async def test_many_short_lines_are_left_out_as_few_long_ones_are(runner: Runner) -> None:
    result = await runner.one(f"{LOG}; function f() {{ for (let i = 0; i < 1e5; i++) log('') }}")
    assert result.failure is None
    assert result.logs[-1].text == "what the action logs from here on is left out"
    assert len(result.logs) == 8194
