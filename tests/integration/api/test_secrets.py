"""docs/api.md "Secrets", over each protocol: rows of its table, then what it says of secrets."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message

from actions.v1 import execution_pb2 as run
from actions.v1 import secrets_pb2 as secrets
from tests.support.api_client import Caller
from tests.support.api_rows import Refused, Row, assert_refused
from tests.support.prepared import action
from tests.support.real_server import RealServer
from tests.support.waiting import WITHIN_S
from zitadel import management_pb2 as pb

SUBJECT = "Secrets"
VALUE = "correct horse"

refused = Refused()


def put(name: str = "KEY", value: str = VALUE) -> secrets.SetSecretRequest:
    return secrets.SetSecretRequest(name=name, value=value)


def delete(name: str) -> secrets.DeleteSecretRequest:
    return secrets.DeleteSecretRequest(name=name)


NAME = "The name of a secret is a letter or _, then up to 99 letters, digits and _"
LENGTH = "The value of a secret has 1 to 16384 bytes in UTF-8, got "
FULL = "The organisation has 100 secrets already, which is the most: delete one first"
refused.as_they_are(
    {
        (3, NAME): {
            "COMMAND-Sn2iv set, a digit first": put("1KEY"),
            "COMMAND-Sn2iv set, a dash": put("API-KEY"),
            "COMMAND-Sn2iv set, not ASCII": put("Schlüssel"),
            "COMMAND-Sn2iv set, a newline behind": put("KEY\n"),
            "COMMAND-Sn2iv set, 101 characters": put("K" * 101),
            "COMMAND-Sn2iv delete, a dash": delete("API-KEY"),
        },
        (3, f"{LENGTH}0"): {"COMMAND-Sv3iv no value": put(value="")},
        (3, f"{LENGTH}16385"): {
            "COMMAND-Sv3iv too long": put(value="x" * 16385),
            "COMMAND-Sv3iv too long in UTF-8": put(value="x" + "ä" * 8192),
        },
        (5, "Secret ABSENT not found"): {"COMMAND-Sp6nf delete, absent": delete("ABSENT")},
    }
)


@refused("COMMAND-Sp6nf delete, of another organisation", 5, "Secret KEY not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    await stranger.get(put())
    return delete("KEY")


@refused("COMMAND-Sp5tm set, the 101st", 8, FULL)
async def _(caller: Caller, stranger: Caller) -> Message:
    for number in range(100):
        await caller.get(put(f"KEY{number}"))
    return put("ONE_MORE")


@pytest.mark.parametrize("row", refused.rows)
async def test_call_is_refused_and_writes_nothing(
    caller: Caller, stranger: Caller, protocol: str, row: Row
) -> None:
    await assert_refused(caller, stranger, protocol, row)


def octets_in(folder: Path) -> bytes:
    """Returns what all files of a folder have, without those that vanish meanwhile."""
    found = b""
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            found += path.read_bytes() if path.is_file() else b""
    assert found
    return found


async def names(caller: Caller) -> list[str]:
    return [secret.name for secret in (await caller.get(secrets.ListSecretsRequest())).secrets]


async def test_a_secret_is_set_listed_and_deleted(caller: Caller, protocol: str) -> None:
    made = await caller.ask(protocol, put("FIRST"))
    assert (made.code, made.response.details.resource_owner) == (0, caller.org_id)
    assert (await caller.ask(protocol, put("second_2", "ä" * 8192))).code == 0
    again = await caller.ask(protocol, put("FIRST", "another value"))
    assert (again.code, again.response.details.sequence) == (0, 2)
    listed = await caller.ask(protocol, secrets.ListSecretsRequest())
    first, second = listed.response.secrets
    assert (first.name, second.name) == ("FIRST", "second_2")
    assert first.created_at == made.response.details.creation_date
    assert first.changed_at == again.response.details.change_date
    assert (await caller.ask(protocol, delete("FIRST"))).code == 0
    assert await names(caller) == ["second_2"]


async def test_secrets_of_another_organisation_are_not_listed(
    caller: Caller, stranger: Caller, protocol: str
) -> None:
    await stranger.get(put())
    listed = await caller.ask(protocol, secrets.ListSecretsRequest())
    assert (listed.code, len(listed.response.secrets)) == (0, 0)


async def test_no_answer_and_no_file_of_the_service_has_a_value(
    caller: Caller, protocol: str, server: RealServer
) -> None:
    value = "a value that nobody sees 5ecret"
    answers = [
        await caller.ask(protocol, request)
        for request in (
            put("KEY", value),
            put("KEY-", value),
            put("KEY", value * 1000),
            put("KEY", value),
            secrets.ListSecretsRequest(),
            delete("KEY"),
        )
    ]
    assert [answer.code for answer in answers] == [0, 3, 3, 0, 0, 0]
    assert not [answer for answer in answers if "5ecret" in repr(answer)]
    assert b"5ecret" not in octets_in(server.data)
    assert "5ecret" not in server.log()


SCRIPT = """
function f(ctx, api) {
  const value = require('actions/secrets').get('KEY');
  require('zitadel/log').log('the value is ' + value);
  if (api.v1.claims) api.v1.claims.setClaim('length', value.length);
  if (FAILS) throw new Error('no luck with ' + value);
}
"""


async def test_a_run_reads_a_secret_and_says_nothing_of_it(
    caller: Caller, protocol: str, server: RealServer
) -> None:
    value = "5ecret of a run"
    await caller.get(put("KEY", value))
    id = await action(caller, "f", script=SCRIPT.replace("FAILS", "false"))
    await caller.get(pb.SetTriggerActionsRequest(flow_type="2", trigger_type="4", action_ids=[id]))
    trigger: dict[str, Any] = {"flow_type": "2", "trigger_type": "4"}
    ran = await caller.ask(protocol, run.RunTriggerRequest(**trigger))
    assert ran.code == 0
    assert ran.response.effects.claims["length"].number_value == len(value)
    (line,) = ran.response.actions[0].logs
    assert line.text == "the value is ***"
    tested = await caller.ask(protocol, run.TestActionRequest(id=id, **trigger))
    assert tested.response.action.logs[0].text == "the value is ***"
    failing = SCRIPT.replace("FAILS", "true")
    await caller.get(pb.UpdateActionRequest(id=id, name="f", script=failing))
    failed = await caller.ask(protocol, run.RunTriggerRequest(**trigger))
    assert failed.code == 9
    assert "no luck with ***" in failed.message
    await caller.get(delete("KEY"))
    absent = await caller.ask(protocol, run.RunTriggerRequest(**trigger))
    assert "secret KEY is not set" in absent.message
    logged = await runs_of(caller, 3)
    assert not [text for text in map(repr, (ran, tested, failed, logged)) if "5ecret" in text]
    assert b"5ecret" not in octets_in(server.data)
    assert "5ecret" not in server.log()


async def runs_of(caller: Caller, count: int) -> object:
    """Returns the log of runs once it has as many."""
    async with asyncio.timeout(WITHIN_S):
        while len((listed := await caller.get(run.ListRunsRequest())).runs) < count:
            await asyncio.sleep(0.02)
    return listed
