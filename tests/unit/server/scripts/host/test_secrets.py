"""Scripts get the secrets of their organisation, and nothing that they say has one."""

import base64
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from server.scripts.contract import Options
from server.scripts.host.executor import Executor
from server.scripts.host.secrets import GIVEN_MAX, NoSecret, RunSecrets
from tests.support.tables import cases
from tests.unit.server.scripts.runner import Runner

VALUE = 'p"ss\nw\u00f6rd <5ecret>'
LONG = "".join(chr(ord("a") + number % 26) for number in range(12_000))
SECRETS = {
    ("org", "KEY"): VALUE,
    ("org", "LONG"): LONG,
    ("org", "PIN"): "123",
    ("other", "KEY"): "value of another",
}
GET = "const get = require('actions/secrets').get; const log = require('zitadel/log').log; "


class Secrets:
    """Has some secrets, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def read(self, org_id: str, name: str) -> str:
        self.asked += 1
        if (org_id, name) not in SECRETS:
            raise NoSecret(f"secret {name} is not set")
        return SECRETS[org_id, name]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def secrets() -> Secrets:
    return Secrets()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def runner(secrets: Secrets) -> AsyncIterator[Runner]:
    executor = Executor(Options(), secrets=secrets)
    await executor.start()
    yield Runner(executor)
    await executor.close()


def claimed(name: str) -> str:
    return f"function f(ctx, api) {{ {GET} api.v1.claims.setClaim('value', get('{name}')) }}"


@pytest.mark.asyncio(loop_scope="module")
class TestRuns:
    async def test_a_script_gets_the_values_of_its_organisation(self, runner: Runner) -> None:
        for org_id, value in (("org", VALUE), ("other", "value of another")):
            result = await runner.run(claimed("KEY"), org_id=org_id)
            assert result.failed is None
            assert result.effects.claims["value"] == value

    async def test_a_long_value_is_whole(self, runner: Runner) -> None:
        effects = (await runner.run(claimed("LONG"))).effects
        assert effects.claims["value"] == LONG

    async def test_a_secret_is_read_once_a_run_and_only_if_it_is_asked_for(
        self, runner: Runner, secrets: Secrets
    ) -> None:
        before = secrets.asked
        await runner.run("function f() { require('actions/secrets') }")
        assert secrets.asked == before
        twice = f"function f() {{ {GET} get('KEY'); get('KEY') }}"
        result = await runner.run(twice, twice)
        assert result.failed is None
        assert secrets.asked == before + 1

    async def test_an_unknown_name_is_an_error_that_can_be_caught(self, runner: Runner) -> None:
        caught = f"function f() {{ {GET} try {{ get('NONE') }} catch (e) {{ log(e.message) }} }}"
        result = await runner.one(caught)
        assert result.failure is None
        assert [line.text for line in result.logs] == ["secret NONE is not set"]
        failure = await runner.failure(f"function f() {{ {GET} get('NONE') }}")
        assert failure.text.startswith("secret NONE is not set")

    @cases(
        "argument, kind",
        {"nothing": ("", "undefined"), "a number": ("7", "number"), "an object": ("{}", "object")},
    )
    async def test_a_name_that_is_no_text_is_refused(
        self, runner: Runner, argument: str, kind: str
    ) -> None:
        failure = await runner.failure(f"function f() {{ {GET} get({argument}) }}")
        assert f"secret: expected a name, got {kind}" in failure.text

    @cases(
        "body",
        {
            "as it is": "log(get('KEY'))",
            "in a text": "log('a' + get('KEY') + 'b' + get('KEY'))",
            "as JSON": "log(JSON.stringify({ key: get('KEY') }))",
            "by %j": "log('%j', get('KEY'))",
            "console": "console.error(get('KEY'))",
            "before it is cut": "log('x'.repeat(4070) + get('LONG'))",
            "longer than a line": "log(get('LONG'))",
        },
    )
    async def test_a_log_line_has_a_mask(self, runner: Runner, body: str) -> None:
        result = await runner.one(f"function f() {{ {GET} {body} }}")
        assert result.failure is None
        (line,) = result.logs
        assert "***" in line.text
        assert "5ecret" not in line.text
        assert "bcdefgh" not in line.text

    @cases(
        "body",
        {
            "an Error": "throw new Error('no: ' + get('KEY'))",
            "a text": "throw get('KEY')",
            "an Error longer than a text": "throw new Error(get('LONG'))",
            "a text longer than a text": "throw get('LONG') + get('LONG')",
            "a name of an Error": "const e = new Error('x'); e.name = get('KEY'); throw e",
        },
    )
    async def test_a_failure_has_a_mask(self, runner: Runner, body: str) -> None:
        failure = await runner.failure(f"function f() {{ {GET} {body} }}")
        assert "***" in failure.text
        assert "5ecret" not in failure.text
        assert "bcdefgh" not in failure.text

    async def test_a_failure_of_the_script_itself_has_a_mask(self, runner: Runner) -> None:
        failure = await runner.failure(f"{GET} throw new Error(get('KEY'))")
        assert "***" in failure.text
        assert "5ecret" not in failure.text

    async def test_a_later_action_does_not_log_what_an_earlier_one_got(
        self, runner: Runner
    ) -> None:
        later = f"function f(ctx) {{ {GET} log(ctx.v1.claims.value) }}"
        result = await runner.run(claimed("KEY"), f"function f() {{ {GET} log({VALUE!r}) }}", later)
        texts = [line.text for action in result.actions for line in action.logs]
        assert texts
        assert "5ecret" not in "".join(texts)

    async def test_a_script_that_is_only_checked_gets_none(self, runner: Runner) -> None:
        check = await runner.executor.check(f"{GET} get('KEY'); function f() {{}}", "f")
        assert check.failure is not None
        assert "secret KEY: secrets are not available here" in check.failure.text


async def given(name: str) -> RunSecrets:
    secrets = RunSecrets(Secrets(), "org")
    await secrets.answer(json.dumps(name).encode())
    return secrets


async def test_values_are_masked_in_each_form() -> None:
    secrets = await given("KEY")
    in_base64 = base64.b64encode(VALUE.encode()).decode()
    said = f"1 {VALUE} 2 {json.dumps(VALUE, ensure_ascii=False)} 3 {in_base64} 4"
    masked = secrets.masked(said)
    assert masked.startswith('1 *** 2 "***" 3 ***')
    assert masked.endswith(" 4")


async def test_a_value_that_repeats_itself_is_masked_as_far_as_a_text_has_it() -> None:
    SECRETS["org", "REPEATED"] = "a" * 5000 + "b"
    secrets = await given("REPEATED")
    assert secrets.masked("x" + "a" * 4000) == "x***"
    assert secrets.masked("a" * 5000 + "bc" + "a" * 15) == "***c" + "a" * 15


async def test_a_run_reads_a_number_of_secrets_at_most() -> None:
    names = [f"KEY{number}" for number in range(GIVEN_MAX + 1)]
    SECRETS.update({("org", name): "value" for name in names})
    secrets = RunSecrets(Secrets(), "org")
    answers = [json.loads(await secrets.answer(json.dumps(name).encode())) for name in names]
    assert answers[:-1] == [{"value": "value"}] * GIVEN_MAX
    text = f"secret KEY{GIVEN_MAX}: a run may read at most {GIVEN_MAX} secrets"
    assert answers[-1] == {"error": text}
    assert json.loads(await secrets.answer(b'"KEY0"')) == {"value": "value"}


async def test_a_short_value_is_not_masked() -> None:
    assert (await given("PIN")).masked("pin 123") == "pin 123"


async def test_other_texts_stay_as_they_are() -> None:
    secrets = await given("KEY")
    assert secrets.masked("pass word") == "pass word"
    assert secrets.masked("") == ""


@pytest.mark.parametrize("payload", [b"", b"7", b"{}", b'"a', b"\xff"])
async def test_a_payload_that_is_no_name_is_an_error(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        await RunSecrets(Secrets(), "org").answer(payload)
