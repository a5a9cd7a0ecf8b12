"""Section 3 of the Actions API, "Errors on the wire": texts of validation, at each door.

Which lengths and numbers are right is told apart without a door: tests/unit/server/test_validation.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from tests.doors import DOORS, GRPC, JSON, WEB, Caller
from zitadel import management_pb2 as pb
from zitadel.action_pb2 import ActionIDQuery, ActionNameQuery, ActionStateQuery

EMOJI = "\U0001f600"
RUNES_1_200 = "value length must be between 1 and 200 runes, inclusive"
RUNES_200 = "value length must be at most 200 runes"
OUTSIDE = "value must be inside range [0s, 20s]"
INVALID_DURATION = "value is not a valid duration | caused by: proto: duration"
NESTED = "embedded message failed validation | caused by: invalid"
QUERY = f"ListActionsRequest.Queries[0]: {NESTED} ActionQuery"
BINARY: Sequence[str] = (GRPC, WEB)


def created(**fields: Any) -> Message:
    return pb.CreateActionRequest(**({"name": "a", "script": "s"} | fields))


def updated(**fields: Any) -> Message:
    return pb.UpdateActionRequest(**({"id": "1", "name": "a", "script": "s"} | fields))


def listed(**fields: Any) -> Message:
    return pb.ListActionsRequest(queries=[pb.ActionQuery(**fields)])


INVALID: list[tuple[str, Sequence[str], Message, str]] = [
    ("create, no name", DOORS, created(name=""), f"CreateActionRequest.Name: {RUNES_1_200}"),
    (
        "create, 201 runes",
        DOORS,
        created(name=EMOJI * 201),
        f"CreateActionRequest.Name: {RUNES_1_200}",
    ),
    (
        "create, no script",
        DOORS,
        created(script=""),
        "CreateActionRequest.Script: value length must be at least 1 runes",
    ),
    (
        "create, 40,001 bytes",
        DOORS,
        created(script=EMOJI * 10_000 + "a"),
        "CreateActionRequest.Script: value length must be at most 40000 bytes",
    ),
    (
        "create, a timeout over 20 s",
        DOORS,
        created(timeout=Duration(seconds=20, nanos=1)),
        f"CreateActionRequest.Timeout: {OUTSIDE}",
    ),
    (
        "create, a timeout below 0 s",
        DOORS,
        created(timeout=Duration(nanos=-1)),
        f"CreateActionRequest.Timeout: {OUTSIDE}",
    ),
    (
        "create, a timeout that is no Duration",
        BINARY,
        created(timeout=Duration(seconds=1, nanos=-1)),
        f"CreateActionRequest.Timeout: {INVALID_DURATION} (seconds:1 nanos:-1) "
        "has seconds and nanos with different signs",
    ),
    (
        "create, the first of three faults",
        DOORS,
        created(name="", script="", timeout=Duration(seconds=-1)),
        f"CreateActionRequest.Name: {RUNES_1_200}",
    ),
    ("update, no id", BINARY, updated(id=""), f"UpdateActionRequest.Id: {RUNES_1_200}"),
    (
        "update, an id of 201 runes",
        DOORS,
        updated(id="1" * 201),
        f"UpdateActionRequest.Id: {RUNES_1_200}",
    ),
    ("update, no name", DOORS, updated(name=""), f"UpdateActionRequest.Name: {RUNES_1_200}"),
    (
        "update, no script",
        DOORS,
        updated(script=""),
        "UpdateActionRequest.Script: value length must be at least 1 runes",
    ),
    (
        "update, a timeout over 20 s",
        DOORS,
        updated(timeout=Duration(seconds=21)),
        f"UpdateActionRequest.Timeout: {OUTSIDE}",
    ),
    ("list, an empty query", DOORS, listed(), f"{QUERY}.Query: value is required"),
    (
        "list, an id of 201 runes",
        DOORS,
        listed(action_id_query=ActionIDQuery(id="1" * 201)),
        f"{QUERY}.ActionIdQuery: {NESTED} ActionIDQuery.Id: {RUNES_200}",
    ),
    (
        "list, a name of 201 runes",
        DOORS,
        listed(action_name_query=ActionNameQuery(name="\u00e9" * 201)),
        f"{QUERY}.ActionNameQuery: {NESTED} ActionNameQuery.Name: {RUNES_200}",
    ),
    (
        "list, a method that there is not",
        DOORS,
        listed(action_name_query=ActionNameQuery(method=8)),  # type: ignore[arg-type]
        f"{QUERY}.ActionNameQuery: {NESTED} ActionNameQuery.Method: "
        "value must be one of the defined enum values",
    ),
    (
        "list, a state that there is not",
        DOORS,
        listed(action_state_query=ActionStateQuery(state=-1)),  # type: ignore[arg-type]
        f"{QUERY}.ActionStateQuery: {NESTED} ActionStateQuery.State: "
        "value must be one of the defined enum values",
    ),
]


@pytest.mark.parametrize(
    ("door", "request_", "text"),
    [
        pytest.param(door, request, text, id=f"{name}-{door}")
        for name, doors, request, text in INVALID
        for door in doors
    ],
)
async def test_invalid_request_is_told_its_first_fault(
    caller: Caller, door: str, request_: Message, text: str
) -> None:
    answer = await caller.ask(door, request_)
    assert answer.refusal == (3, f"invalid {text}", ())
    assert answer.http_status == {JSON: 400, GRPC: 0, WEB: 200}[door]


@pytest.mark.parametrize("door", DOORS)
async def test_token_is_looked_at_before_the_request(caller: Caller, door: str) -> None:
    answer = await caller.doors.call(door, pb.CreateActionRequest(), token="nonsense")
    assert answer.refusal[:2] == (16, "Errors.Token.Invalid (AUTH-7fs1e)")


@pytest.mark.parametrize("door", DOORS)
async def test_request_is_looked_at_before_the_command(caller: Caller, door: str) -> None:
    answer = await caller.ask(door, updated(id="404", name=""))
    assert answer.refusal == (3, f"invalid UpdateActionRequest.Name: {RUNES_1_200}", ())
