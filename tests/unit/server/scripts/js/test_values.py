"""Passes values to `api` and modules by scripts, and reads what they become."""

import json

import pytest

from server.scripts.contract import JsonValue
from server.scripts.host import contexts
from tests.support.tables import by_outcome, cases
from tests.unit.server.scripts.runner import LOG as USE_LOG
from tests.unit.server.scripts.runner import Runner

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOG = "urn:zitadel:iam:action:f:log"


@cases(
    "value, expected",
    {
        "undefined": ("undefined", None),
        "holes": ("[1, , undefined]", [1, None, None]),
        "undefined property": ("{ a: undefined }", {"a": None}),
        "bare object": ("Object.assign(Object.create(null), { a: null })", {"a": None}),
        "object of a class": ("new (class { a = [true] })()", {"a": [True]}),
        "Date": ("new Date(1741064767120)", "2025-03-04T05:06:07.12Z"),
        "Date without a fraction": ("new Date(0)", "1970-01-01T00:00:00Z"),
        "time": ("ctx.v1.getUser().creationDate", "2025-03-04T05:06:07.123456789Z"),
        "octets": ("new Uint8Array([104, 105])", "aGk="),
        "typed array": ("new Int16Array([1, -1])", [1, -1]),
        "Map": ("new Map([['a', 1]])", [["a", 1]]),
        "Set": ("new Set([1, 2])", [1, 2]),
        "RegExp": ("/x/", {}),
        "Error": ("new Error('x')", {}),
        "Promise": ("Promise.resolve(1)", {}),
        "boxed text": ("new String('x')", "x"),
        "boxed": ("[new Number(0), new Boolean(false)]", [0, False]),
        "BigInt": ("12345678901234567890n", 12345678901234567890),
        "large number": ("1e21", 1e21),
        "negative zero": ("-0", 0),
        "text": ("'\\ud800<\\u2028'", "\ufffd<\u2028"),
        "prototype": ("{ toJSON() { return 1 } }.constructor.prototype", {}),
        "typed object": (
            "ctx.v1.user.getMetadata().metadata[0]",
            {
                "CreationDate": "2025-03-04T05:06:07.123456789Z",
                "ChangeDate": "2025-03-04T05:06:07.123456789Z",
                "ResourceOwner": "318838541687652737",
                "Sequence": 7,
                "Key": "department",
                "Value": "engineering",
            },
        ),
    },
)
async def test_a_claim_has_the_value_that_the_old_engine_gave(
    runner: Runner, value: str, expected: object
) -> None:
    source = f"function f(ctx, api) {{ api.v1.claims.setClaim('k', {value}) }}"
    found = await runner.effects(source, trigger=(2, 4))
    assert found.claims["k"] == expected


TWICE = "(() => {{ let v = {}; for (let i = 0; i < {}; i++) v = {}; return v }})()"
NOT_CLAIMS: dict[str, dict[str, str]] = {
    "TypeError: a function has no form in JSON": {
        "function": "() => 1",
        "inside": "{ a: [Math.max] }",
    },
    "TypeError: NaN has no form in JSON": {"NaN": "NaN"},
    "RangeError: a BigInt too large for JSON's numbers": {"large BigInt": "10n ** 400n"},
    "TypeError: -Infinity has no form in JSON": {"Infinity": "-Infinity"},
    "RangeError: a value that is nested more than 100 deep, or in itself": {
        "in itself": "(() => { const a = []; a.push(a); return a })()"
    },
    "RangeError: a value of more than 262144 characters": {
        "too long": "'x'.repeat(300000)",
        "in itself twice, as arrays": TWICE.format("[]", 60, "[v, v]"),
        "in itself twice, as objects": TWICE.format("{}", 60, "{ a: v, b: v }"),
        "in itself twice, as maps": TWICE.format("1", 40, "new Map([[v, v]])"),
    },
}


@by_outcome("value, text", NOT_CLAIMS)
async def test_a_claim_that_no_token_can_hold_is_refused_where_it_is_set(
    runner: Runner, value: str, text: str
) -> None:
    failure = await runner.failure(
        f"function f(ctx, api) {{ api.v1.claims.setClaim('k', {value}) }}"
    )
    assert failure.text.startswith(f"{text} at f (<eval>:1:")


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        pytest.param("setFirstName()", "", id="missing"),
        pytest.param("setFirstName(null)", "", id="null"),
        pytest.param("setFirstName(undefined)", "", id="undefined"),
        pytest.param("setFirstName(5, 6)", "5", id="number, and more"),
        pytest.param("setFirstName({ toString: () => 'x' })", "x", id="by toString"),
        pytest.param("setGender('2')", 0, id="gender as text"),
        pytest.param("setGender(2.9)", 2, id="gender as fraction"),
        pytest.param("setGender()", 0, id="no gender"),
        pytest.param("setEmailVerified('false')", True, id="truthy"),
        pytest.param("setEmailVerified()", False, id="falsy"),
    ],
)
async def test_setters_convert(runner: Runner, call: str, expected: object) -> None:
    found = await runner.effects(f"function f(ctx, api) {{ api.{call} }}", trigger=(1, 2))
    assert list(found.fields.values()) == [expected]


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        pytest.param("'x'", b'"x"', id="text with its quotes"),
        pytest.param("undefined", b"null", id="undefined"),
        pytest.param("{ b: 1, a: 2 }", b'{"a":2,"b":1}', id="sorted keys"),
        pytest.param("'<>&'", b'"\\u003c\\u003e\\u0026"', id="escaped"),
    ],
)
async def test_metadata_is_stored_as_json(runner: Runner, value: str, stored: bytes) -> None:
    source = f"function f(ctx, api) {{ api.v1.user.setMetadata('k', {value}) }}"
    found = await runner.effects(source, trigger=(2, 4))
    assert found.metadata[0].value == stored


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        pytest.param("5", 5, id="number"),
        pytest.param('"x"', "x", id="quoted"),
        pytest.param("x", "x", id="text"),
        pytest.param("", "", id="nothing"),
        pytest.param({"a": [1]}, {"a": [1]}, id="JSON of the context"),
    ],
)
async def test_metadata_is_read_as_json_or_as_text(
    runner: Runner, stored: JsonValue, expected: object
) -> None:
    context: JsonValue = {"userMetadata": [{"key": "k", "value": stored}]}
    source = "function f(ctx) { log('%j', ctx.v1.user.getMetadata().metadata[0].value) }"
    assert json.loads(await runner.logged(source, context=context)) == expected


async def test_a_module_is_one_object(runner: Runner) -> None:
    source = "function f() { log(require('util') === require('util')) }"
    assert await runner.logged(source) == "true"


async def test_a_script_that_replaces_globals_is_understood(runner: Runner) -> None:
    source = "String = Number = Boolean = null; function f(ctx, api) { api.setFirstName(5) }"
    found = await runner.effects(source, trigger=(1, 1))
    assert found.fields == {"firstName": "5"}


async def test_uuid_is_not_for_saml(runner: Runner) -> None:
    failure = await runner.failure("function f() { require('zitadel/uuid') }", trigger=(4, 6))
    assert failure.text.startswith("Invalid module at f")


async def test_a_module_is_found_by_a_name_that_is_computed(runner: Runner) -> None:
    source = "function f() { const u = require(['zitadel', 'uuid'].join('/')); log(u.v4().length) }"
    assert await runner.logged(source) == "36"


@pytest.mark.parametrize(
    ("namespace", "shown"),
    [
        pytest.param("'x'", "x", id="short"),
        pytest.param("undefined", "undefined", id="nothing"),
        pytest.param("'é'.repeat(36)", "é" * 36, id="as long as one"),
        pytest.param("u.namespaceDNS + '0'", "6ba7b810-9dad-11d1-80b4-00c04fd430c80", id="longer"),
    ],
)
async def test_an_invalid_namespace_is_reported(runner: Runner, namespace: str, shown: str) -> None:
    source = "function f() { const u = require('zitadel/uuid'); "
    failure = await runner.failure(f"{source} u.v5({namespace}, 'x') }}")
    assert failure.text.startswith(f"invalid namespace: {shown} at f")


async def test_ids_by_time_and_by_chance_differ(runner: Runner) -> None:
    source = """function f() {
      const u = require('zitadel/uuid');
      log([u.v1(), u.v1(), u.v4(), u.v4()].join());
    }"""
    found = (await runner.logged(source)).split(",")
    assert (len(set(found)), [text[14] for text in found]) == (4, ["1", "1", "4", "4"])


async def test_metadata_that_was_set_is_read_in_saml(runner: Runner) -> None:
    source = """function f(ctx, api) {
      api.v1.user.setMetadata('new', { a: 1 });
      api.v1.user.setMetadata('department', 'sales');
      log('%j', ctx.v1.user.getMetadata().metadata.map((m) => [m.key, m.value]));
    }"""
    said = await runner.logged(source, trigger=(4, 6))
    assert json.loads(said) == [
        ["department", "sales"],
        ["limits", {"seats": 5}],
        ["new", {"a": 1}],
    ]


async def test_metadata_that_was_set_is_not_read_in_tokens(runner: Runner) -> None:
    source = """function f(ctx, api) {
      api.v1.user.setMetadata('new', 1);
      log(ctx.v1.user.getMetadata().count);
    }"""
    assert await runner.logged(source, trigger=(2, 4)) == "2"


async def test_grants_are_null_in_tokens_and_an_object_in_saml(runner: Runner) -> None:
    source = "function f(ctx) { log('%j', ctx.v1.user.grants && ctx.v1.user.grants.grants) }"
    assert await runner.logged(source, trigger=(2, 4), context={}) == "null"
    assert await runner.logged(source, trigger=(4, 6), context={}) == "[]"


async def test_later_actions_get_an_integer_of_more_than_64_bits(runner: Runner) -> None:
    result = await runner.run(
        "function f(ctx, api) { api.v1.claims.setClaim('k', 2n ** 70n) }",
        f"{USE_LOG}; function f(ctx) {{ log(ctx.v1.claims.k === 2 ** 70) }}",
        trigger=(2, 4),
    )
    assert result.actions[1].logs[0].text == "true"


async def test_later_actions_see_what_earlier_ones_set(runner: Runner) -> None:
    result = await runner.run(
        "function f(ctx, api) { api.setEmail('new@example.com'); api.setUsername('new') }",
        f"{USE_LOG}; function f(ctx) {{ log(ctx.v1.user.human.email, ctx.v1.user.username) }}",
        trigger=(1, 2),
    )
    assert result.actions[1].logs[0].text == "new@example.com new"


@cases(
    "calls, expected",
    {
        "without an address": ("api.setEmailVerified(true)", {}),
        "after the address": (
            "api.setEmail('a@b'); api.setEmailVerified(true)",
            {"email": "a@b", "isEmailVerified": True},
        ),
        "without a number": ("api.setPhoneVerified(true)", {}),
    },
)
async def test_nothing_is_verified_that_is_not_there(
    runner: Runner, calls: str, expected: dict[str, object]
) -> None:
    source = f"function f(ctx, api) {{ {calls} }}"
    assert (await runner.effects(source, trigger=(3, 2), context={})).fields == expected


@cases(
    "calls, expected",
    {
        "twice": ("set('a', 1); set('a', 2)", {"a": 1, LOG: ['key "a" already exists']}),
        "null is overwritten": ("set('a', null); set('a', 2)", {"a": 2}),
        "reserved": ("set('urn:zitadel:iam:org', 1)", {}),
        "filled by a scope": ("set('email', 'x')", {}),
        "standard, not filled": ("set('nickname', 'x')", {"nickname": "x"}),
        "there already": ("set('there', 1)", {LOG: ['key "there" already exists']}),
    },
)
async def test_a_claim_that_is_there_stays(
    runner: Runner, calls: str, expected: dict[str, object]
) -> None:
    context = contexts.example(2, 4) | {"claims": {"email": "ada@example.com", "there": 0}}
    source = f"function f(ctx, api) {{ const set = api.v1.claims.setClaim; {calls} }}"
    assert (await runner.effects(source, trigger=(2, 4), context=context)).claims == expected


async def test_the_first_attribute_of_a_name_stays(runner: Runner) -> None:
    source = """function f(ctx, api) {
      const set = api.v1.attributes.setCustomAttribute;
      set('n', 'urn:f', 1, null, ['a', 'b']); set('n', 'urn:g', 'later'); set('m');
    }"""
    found = (await runner.effects(source, trigger=(4, 6))).attributes
    assert [(a.name, a.name_format, a.values) for a in found] == [
        ("n", "urn:f", ("1", "", "a,b")),
        ("m", "", ()),
    ]
