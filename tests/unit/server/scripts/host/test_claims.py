"""Claims that a token has of its own, when an action sets them."""

from pathlib import Path

import pytest
from google.protobuf import json_format

from actions.v1 import execution_pb2 as pb
from server.scripts.contract import Effects, JsonValue, LogLine, Script
from server.services.execution_messages import fill_effects
from server.triggers import Trigger
from tests.unit.server.scripts.runner import Runner

asynchronous = pytest.mark.asyncio(loop_scope="module")

EVERY_TOKEN_HAS = ["iss", "sub", "aud", "exp", "iat", "jti"]
A_TOKEN_MAY_HAVE = [
    *("nbf", "azp", "client_id", "scope", "nonce", "acr", "amr", "auth_time"),
    *("at_hash", "c_hash", "act", "sid"),
]


def setting(*names: str) -> str:
    calls = "".join(f"api.v1.claims.setClaim('{name}', 1);" for name in names)
    return f"function f(ctx, api) {{ {calls} }}"


@asynchronous
@pytest.mark.parametrize("trigger", [(2, 4), (2, 5)])
@pytest.mark.parametrize("name", EVERY_TOKEN_HAS)
async def test_a_claim_that_every_token_has_is_left_out(
    runner: Runner, trigger: Trigger, name: str
) -> None:
    result = await runner.run(setting(name, name, "other"), trigger=trigger, context={})
    assert dict(result.effects.claims) == {"other": 1}
    assert result.actions[0].logs == (LogLine("warn", f'claim "{name}" is the token\'s own'),)


@asynchronous
async def test_each_action_gets_a_log_line_for_claims_that_are_left_out(runner: Runner) -> None:
    result = await runner.run(setting("aud"), setting("aud", "exp"), context={})
    assert [[line.text for line in action.logs] for action in result.actions] == [
        ['claim "aud" is the token\'s own'],
        ['claim "aud" is the token\'s own', 'claim "exp" is the token\'s own'],
    ]


@asynchronous
async def test_a_claim_that_is_left_out_is_not_seen_by_later_actions(runner: Runner) -> None:
    reading = "function f(ctx) { require('zitadel/log').log(ctx.v1.claims.aud) }"
    result = await runner.run(setting("aud"), Script("2", "f", reading), context={})
    assert result.actions[1].logs[0].text == "undefined"


@asynchronous
@pytest.mark.parametrize("name", A_TOKEN_MAY_HAVE)
async def test_a_claim_that_a_token_may_have_stays_and_is_named(runner: Runner, name: str) -> None:
    found = await runner.effects(setting("other", name), trigger=(2, 4), context={})
    message = pb.Effects()
    fill_effects(message, found)
    assert sorted(message.claims) == sorted(["other", name])
    assert message.overridable_claims == [name]


def test_the_merge_of_the_docs_lets_the_own_claims_of_a_token_win() -> None:
    document = Path("docs/execution.md").read_text(encoding="utf-8")
    merge = document.partition("```python\n")[2].partition("```")[0]
    message = pb.Effects()
    claims: dict[str, JsonValue] = {"scope": "action", "nonce": "action", "other": "action"}
    fill_effects(message, Effects(claims, {}, (), (), ()))
    token = {"scope": "token", "other": "token"}
    effects = json_format.MessageToDict(message)
    exec(merge, {"effects": effects, "token": token})  # noqa: S102 - the documentation's own
    assert token == {"scope": "token", "nonce": "action", "other": "action"}
