"""The life that infrastructure as code gives an action and a trigger, run by a real gRPC client.

grpc-js calls the real process, by no more than our .proto: tests/integration/node/life.mjs.
"""

import base64
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from google.api import http_pb2
from google.rpc.status_pb2 import Status

from tests.support.certificates import Authority
from tests.support.processes import ROOT
from tests.support.real_server import ONE_PORT, RealServer
from tests.support.web_clients import installed_node
from zitadel.message_pb2 import ErrorDetail

DEADLINE_S: Final = 60.0
PROTOS: Final = (ROOT / "proto", Path(http_pb2.__file__).parents[2])

Steps = dict[str, dict[str, Any]]


@pytest.fixture(scope="module", params=["own port", "port of JSON", "own port, TLS", "port, TLS"])
def steps(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Steps:
    """Runs the steps, and returns the answer to each."""
    script = ROOT / "tests/integration/node/life.mjs"
    folder = tmp_path_factory.mktemp("life")
    options = ONE_PORT if request.param.startswith("port") else ()
    environment = dict(os.environ)
    if "TLS" in request.param:
        authority = Authority(folder)
        options = (*options, *authority.pair().options)
        environment["TRUSTED"] = str(authority.path)
    with RealServer(folder / "data", *options) as server:
        done = subprocess.run(
            [installed_node(), script, server.grpc, server.token, *PROTOS],
            env=environment,
            stdout=subprocess.PIPE,
            timeout=DEADLINE_S,
            check=True,
        )
    lines = map(json.loads, done.stdout.splitlines())
    return {line.pop("step"): line for line in lines}


# The sequence of a flow is its organisation's, whose first event made it.
WRITES: Final = {
    "create": "1",
    "update": "2",
    "update again, no change is ok": "2",
    "deactivate": "3",
    "reactivate": "4",
    "set trigger": "2",
    "set trigger again, no change is ok": "2",
    "clear flow": "3",
    "clear flow again, no change is ok": "3",
}
REFUSALS: Final = {
    "create again": (6, "Errors.Action.AlreadyExists", "V3-DKcYh"),
    "update again": (9, "No changes", "ACTION-dg4t2"),
    "deactivate again": (9, "Action is not active", "COMMAND-Dgj92"),
    "reactivate again": (9, "Action is not inactive", "COMMAND-J53zh"),
    "reactivate again, in German": (9, "Die Action ist nicht inaktiv", "COMMAND-J53zh"),
    "set trigger again": (9, "No Changes", "COMMAND-Nfh52"),
    "clear flow again": (9, "Flow is already empty", "COMMAND-DgGh3"),
    "delete again": (5, "Action not found", "COMMAND-Dgh4h"),
    "read deleted": (5, "Action not found", "QUERY-GEfnb"),
}
ACTION: Final = {"name": "greet", "timeout": {"seconds": "10"}}
FLOW: Final = {
    "type": {
        "id": "1",
        "name": {
            "key": "Action.Flow.Type.ExternalAuthentication",
            "localizedMessage": "External Authentication",
        },
    },
    "state": "FLOW_STATE_ACTIVE",
}


@pytest.mark.parametrize(("step", "sequence"), WRITES.items())
def test_write_is_answered_with_the_details(steps: Steps, step: str, sequence: str) -> None:
    assert steps[step]["answer"]["details"]["sequence"] == sequence


@pytest.mark.parametrize(("step", "refusal"), REFUSALS.items())
def test_refusal_is_answered_with_its_id(
    steps: Steps, step: str, refusal: tuple[int, str, str]
) -> None:
    code, text, place = refusal
    assert (steps[step]["code"], steps[step]["details"]) == (code, f"{text} ({place})")
    (packed,) = Status.FromString(base64.b64decode(steps[step]["status"])).details
    detail = ErrorDetail()
    assert packed.Unpack(detail)
    assert (detail.id, detail.message) == (place, text)


def test_invalid_request_is_answered_with_its_fault(steps: Steps) -> None:
    assert steps["update, invalid"] == {
        "code": 3,
        "details": "invalid UpdateActionRequest.Script: value length must be at least 1 runes",
    }


def test_id_is_one_that_providers_take(steps: Steps) -> None:
    assert re.fullmatch(r"[0-9]{18}", steps["create"]["answer"]["id"])


@pytest.mark.parametrize(
    ("step", "fields"),
    [
        ("read", {"script": "function greet() {}", "state": "ACTION_STATE_ACTIVE"}),
        (
            "read inactive",
            {
                "script": "function greet(ctx) {}",
                "state": "ACTION_STATE_INACTIVE",
                "allowedToFail": True,
            },
        ),
    ],
)
def test_action_is_read_as_written(steps: Steps, step: str, fields: dict[str, Any]) -> None:
    read = dict(steps[step]["answer"]["action"])
    del read["details"]
    assert read == {"id": steps["create"]["answer"]["id"], **ACTION, **fields}


def test_flow_is_read_with_its_actions(steps: Steps) -> None:
    read = dict(steps["read flow"]["answer"]["flow"])
    assert read.pop("details")["sequence"] == "2"
    (trigger,) = read.pop("triggerActions")
    (action,) = trigger.pop("actions")
    assert read == FLOW
    assert trigger == {
        "triggerType": {
            "id": "3",
            "name": {"key": "Action.TriggerType.PostCreation", "localizedMessage": "Post Creation"},
        }
    }
    assert action["id"] == steps["create"]["answer"]["id"]


def test_clear_flow_has_no_actions(steps: Steps) -> None:
    assert steps["read flow, clear"]["answer"] == {"flow": {**FLOW, "details": {}}}


def test_deletion_answers_nothing(steps: Steps) -> None:
    assert steps["delete"]["answer"] == {}


def test_each_step_is_looked_at(steps: Steps) -> None:
    others = {"read", "update, invalid", "read inactive", "read flow", "read flow, clear", "delete"}
    assert set(steps) == {*WRITES, *REFUSALS, *others}
