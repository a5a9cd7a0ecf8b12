"""Runs scripts that replace parts of the language before they use `ctx` and `api`.

Polyfills, classes of their own by the names of built-in ones, shorter texts of dates: what the
script side makes of its values does not hang on them.
"""

import json

import pytest

from server.triggers import Trigger
from tests.support.tables import by_outcome, cases
from tests.unit.server.scripts.runner import Runner

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALL_GONE = "Map = Set = Date = Symbol = BigInt = Uint8Array = Reflect = JSON = Object = undefined;"
OWN_CLASSES = "class Map {} class Set {} class Symbol {} class Date {} class Uint8Array {}"
SHORT_DATES = "Date.prototype.toISOString = function () { return '2025-03-04T05:06:00Z' };"
BROKEN_ITERATOR = "Array.prototype[Symbol.iterator] = function () { throw new Error('iterated') };"
NUMBERED_SETTER = """Object.defineProperty(Array.prototype, '0', {
  set() { throw new Error('set') }, get() { return 'own' }, configurable: true,
});"""
FROZEN = (
    "for (const type of [Object, Array, Function, String, Date]) Object.freeze(type.prototype);"
)
TO_JSON = "Object.prototype.toJSON = Array.prototype.toJSON = () => 'x';"

VALUES = """function f(ctx, api) {
  const set = api.v1.claims.setClaim;
  set('nothing', [undefined, null]);
  set('nested', { b: [1, 'x', true], a: {} });
  set('date', made.date);
  set('map', made.map);
  set('set', made.set);
  set('octets', made.octets);
  set('boxed', made.boxed);
  set('created', ctx.v1.getUser().creationDate);
  set('tenant', ctx.v1.user.grants.grants[0].getOrgMetadata().metadata[0].value);
}"""
MADE = """var made = {
  date: new Date(1741064760000), map: new Map([['a', 1]]), set: new Set([2]),
  octets: new Uint8Array([104, 105]), boxed: Object('x'),
};"""


@cases(
    "replaced",
    {
        "nothing": "",
        "all gone": ALL_GONE,
        "dates without a fraction": SHORT_DATES,
        "iterator of arrays": BROKEN_ITERATOR,
        "setter of an index": NUMBERED_SETTER,
        "frozen prototypes": FROZEN,
        "toJSON of all objects": TO_JSON,
        "isArray": "Array.isArray = () => false;",
        "eval": "eval = () => { throw new Error('eval') };",
        "methods": "Array.prototype.join = Array.prototype.sort = () => 'own';",
        "apply": "Function.prototype.call = Function.prototype.apply = null;",
        "names of descriptors": "Object.prototype.get = Object.prototype.value ="
        " Object.prototype.writable = 1;",
    },
)
async def test_values_are_what_they_are_whatever_is_replaced(runner: Runner, replaced: str) -> None:
    found = await runner.effects(f"{MADE} {replaced} {VALUES}", trigger=(2, 4))
    assert found.claims == {
        "nothing": [None, None],
        "nested": {"a": {}, "b": [1, "x", True]},
        "date": "2025-03-04T05:06:00Z",
        "map": [["a", 1]],
        "set": [2],
        "octets": "aGk=",
        "boxed": "x",
        "created": "2025-03-04T05:06:07.123456789Z",
        "tenant": "acme",
    }


MODULES = """function f(ctx) {
  const { log } = require('zitadel/log'), uuid = require('zitadel/uuid');
  const d = ctx.v1.getUser().creationDate;
  log('%s %j', 'x', [1]);
  log(uuid.v5(uuid.namespaceDNS, 'example.com'));
  log(d.format('2006-01-02 15:04'), d.unixNano(), d.yearDay(), `${d}`);
  log(typeof require('zitadel/http').fetch);
}"""


@cases(
    "replaced",
    {
        "nothing": "",
        "all gone": ALL_GONE,
        "classes of these names": OWN_CLASSES,
        "iterator of arrays": BROKEN_ITERATOR,
        "frozen prototypes": FROZEN,
        "split": "String.prototype.split = String.prototype.replace = () => '';",
        "padStart": "String.prototype.padStart = function () { return this };",
        "setter": "Object.defineProperty(Object.prototype, 'log', { set() { throw 1 } });",
        "our names": "var tell = 1, text = 2, names = 3, host = 4, apply = 5;",
    },
)
async def test_modules_do_what_they_do_whatever_is_replaced(runner: Runner, replaced: str) -> None:
    result = await runner.one(f"{replaced} {MODULES}")
    assert result.failure is None
    assert [line.text for line in result.logs] == [
        "x [1]",
        "cfbff0d1-9375-5685-968c-48ce8b15ae17",
        "2025-03-04 05:06 1741064767123456800 63 2025-03-04 05:06:07.123456789 +0000 UTC",
        "function",
    ]


@cases(
    "trigger, source, asked",
    {
        "1/1": (
            (1, 1),
            """api.setEmail('a@b'); api.metadata.push({ key: 'k', value: [1] });
            api.v1.user.appendMetadata('m', { a: 1 }); ctx.v1.providerInfo.getEmail()""",
            {"fields": {"email": "a@b"}, "metadata": ["k", "m"]},
        ),
        "3/2": (
            (3, 2),
            "api.setGender(1); api.v1.user.appendMetadata('m', 1); ctx.v1.org.getMetadata()",
            {"fields": {"gender": 1}, "metadata": ["m"]},
        ),
        "3/3": (
            (3, 3),
            "api.userGrants.push({ projectID: 'p', roles: ['r'] });"
            "api.v1.appendUserGrant({ projectId: 'q', roles: ['s', 1] })",
            {"grants": [["p", ["r"]], ["q", ["s"]]]},
        ),
        "4/6": (
            (4, 6),
            "api.v1.attributes.setCustomAttribute('n', 'f', 1, [2]);"
            "api.v1.user.setMetadata('m', 1)",
            {"attributes": [["n", ["1", "2"]]], "metadata": ["m"]},
        ),
    },
)
@pytest.mark.parametrize("replaced", [BROKEN_ITERATOR, NUMBERED_SETTER, FROZEN, ALL_GONE])
async def test_every_trigger_gets_the_effects_of_a_script_whatever_it_replaces(
    runner: Runner, trigger: Trigger, source: str, asked: dict[str, object], replaced: str
) -> None:
    found = await runner.effects(f"{replaced} function f(ctx, api) {{ {source} }}", trigger=trigger)
    told = {
        "fields": dict(found.fields),
        "metadata": [entry.key for entry in found.metadata],
        "grants": [[grant.project_id, list(grant.roles)] for grant in found.grants],
        "attributes": [[one.name, list(one.values)] for one in found.attributes],
    }
    assert {name: value for name, value in told.items() if value} == asked


@cases(
    "value, expected",
    {
        "a claim within a claim": (
            "{ get a() { api.v1.claims.setClaim('inner', { b: 1 }); return 2 }, c: 3 }",
            {"inner": {"b": 1}, "k": {"a": 2, "c": 3}},
        ),
        "a refusal within a claim": (
            "{ get a() { try { api.v1.claims.setClaim('x', NaN) }"
            " catch (e) { return e.message } } }",
            {"k": {"a": "NaN has no form in JSON"}},
        ),
        "proxy of an array": ("new Proxy([1, 2], {})", {"k": [1, 2]}),
        "proxy that answers for itself": (
            "new Proxy({}, { ownKeys: () => ['b', 'a'], get: (_, k) => k, "
            "getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }) })",
            {"k": {"a": "a", "b": "b"}},
        ),
        "key of a prototype": (
            'JSON.parse(\'{"__proto__": {"a": 1}, "b": 2}\')',
            {"k": {"__proto__": {"a": 1}, "b": 2}},
        ),
        "shared": (
            "(() => { const a = { x: 1 }; return [a, { a }] })()",
            {"k": [{"x": 1}, {"a": {"x": 1}}]},
        ),
    },
)
async def test_a_value_that_answers_by_code_is_a_claim(
    runner: Runner, value: str, expected: dict[str, object]
) -> None:
    source = f"function f(ctx, api) {{ api.v1.claims.setClaim('k', {value}) }}"
    assert (await runner.effects(source, trigger=(2, 4))).claims == expected


FAILING: dict[str, dict[str, str]] = {
    "TypeError: own": {"getter": "{ get a() { throw new TypeError('own') } }"},
    "Error: own": {
        "getter after a refusal": "{ get a() { try { api.v1.claims.setClaim('x', NaN) } catch {}"
        " throw new Error('own') } }",
        "prototype of a proxy": "new Proxy({}, { getPrototypeOf() { throw new Error('own') } })",
    },
    "RangeError: a value of more than 262144 characters": {
        "proxy without end": "new Proxy([], { get: (_, key) => (key === 'length' ? 1e9 : 1) })",
        "array of holes": "new Array(4294967295)",
    },
}


@by_outcome("value, text", FAILING)
async def test_an_error_of_a_value_is_reported(runner: Runner, value: str, text: str) -> None:
    failure = await runner.failure(
        f"function f(ctx, api) {{ api.v1.claims.setClaim('k', {value}) }}"
    )
    assert failure.text.startswith(f"{text} at ")


async def test_a_member_of_a_prototype_is_not_a_claim(runner: Runner) -> None:
    source = "function f(ctx) { log('%j', ['toString', 'x', 'sub'].map(ctx.getClaim)) }"
    replaced = "Object.prototype.x = 1;"
    said = await runner.logged(f"{replaced} {source}", trigger=(1, 1))
    assert json.loads(said) == [None, None, "ext-1"]


@cases(
    "trigger, call",
    {
        "claim": ((2, 4), "api.v1.claims.setClaim('k', { get a() { look() } })"),
        "key": ((2, 4), "api.v1.claims.setClaim({ toString: look }, 1)"),
        "log": ((2, 4), "api.v1.claims.appendLogIntoClaims({ toString: look })"),
        "metadata": ((2, 4), "api.v1.user.setMetadata('k', [{ get a() { look() } }])"),
        "module": ((2, 4), "require({ toString: look })"),
        "format": ((2, 4), "require('util').format('%j', { toJSON: look })"),
        "fetch": ((2, 4), "require('zitadel/http').fetch('x:', { get method() { look() } })"),
        "field": ((1, 2), "api.setFirstName({ toString: look })"),
        "list": ((1, 2), "api.metadata.push({ get key() { look() } })"),
        "grant": ((1, 3), "api.v1.appendUserGrant({ get roles() { look() } })"),
        "attribute": ((4, 6), "api.v1.attributes.setCustomAttribute('n', 'f', { toString: look })"),
    },
)
async def test_nothing_that_calls_the_host_is_on_the_stack_of_a_script(
    runner: Runner, trigger: Trigger, call: str
) -> None:
    source = f"""
    const {{ log }} = require('zitadel/log');
    const names = [];
    Error.prepareStackTrace = (_, sites) => sites.map((site) => site.getFunctionName());
    function look() {{ names.push(...new Error().stack) }}
    function f(ctx, api) {{ try {{ {call} }} catch {{}} log('%j', names) }}"""
    result = await runner.one(source, trigger=trigger)
    assert result.failure is None
    seen = set(json.loads(result.logs[-1].text))
    assert {"look", "f"} <= seen
    assert seen.isdisjoint({"tell", "host", "effect", "lazily"})
