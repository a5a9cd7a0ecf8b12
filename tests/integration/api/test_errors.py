"""docs/api.md "Errors", "Order of checks" and "Languages", over each protocol.

Which lengths and numbers are valid is tested without a protocol: tests/unit/server.
"""

import copy
import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from tests.support.accounts import Accounts
from tests.support.api_client import GRPC, JSON, PROTOCOLS, WEB, Caller
from tests.support.api_rows import refusal
from tests.support.prepared import action
from tests.support.real_server import RealServer
from tests.support.tables import cases
from zitadel import management_pb2 as pb
from zitadel.action_pb2 import ActionIDQuery, ActionNameQuery, ActionStateQuery

SUBJECT = "Errors"

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


INVALID: dict[str, dict[str, Message]] = {
    f"CreateActionRequest.Name: {RUNES_1_200}": {
        "create, no name": created(name=""),
        "create, 201 runes": created(name=EMOJI * 201),
        "create, the first of three faults": created(
            name="", script="", timeout=Duration(seconds=-1)
        ),
    },
    "CreateActionRequest.Script: value length must be at least 1 runes": {
        "create, no script": created(script="")
    },
    "CreateActionRequest.Script: value length must be at most 40000 bytes": {
        "create, 40,001 bytes": created(script=EMOJI * 10_000 + "a")
    },
    f"CreateActionRequest.Timeout: {OUTSIDE}": {
        "create, a timeout over 20 s": created(timeout=Duration(seconds=20, nanos=1)),
        "create, a timeout below 0 s": created(timeout=Duration(nanos=-1)),
    },
    "SetTriggerActionsRequest.ActionIds: value must contain no more than 1000 item(s)": {
        "set trigger, 1,001 actions": pb.SetTriggerActionsRequest(
            flow_type="2", trigger_type="4", action_ids=map(str, range(1001))
        )
    },
    f"UpdateActionRequest.Id: {RUNES_1_200}": {"update, an id of 201 runes": updated(id="1" * 201)},
    f"UpdateActionRequest.Name: {RUNES_1_200}": {"update, no name": updated(name="")},
    "UpdateActionRequest.Script: value length must be at least 1 runes": {
        "update, no script": updated(script="")
    },
    f"UpdateActionRequest.Timeout: {OUTSIDE}": {
        "update, a timeout over 20 s": updated(timeout=Duration(seconds=21))
    },
    f"{QUERY}.Query: value is required": {"list, an empty query": listed()},
    f"{QUERY}.ActionIdQuery: {NESTED} ActionIDQuery.Id: {RUNES_200}": {
        "list, an id of 201 runes": listed(action_id_query=ActionIDQuery(id="1" * 201))
    },
    f"{QUERY}.ActionNameQuery: {NESTED} ActionNameQuery.Name: {RUNES_200}": {
        "list, a name of 201 runes": listed(action_name_query=ActionNameQuery(name="\u00e9" * 201))
    },
    f"{QUERY}.ActionNameQuery: {NESTED} ActionNameQuery.Method: "
    "value must be one of the defined enum values": {
        "list, a method that there is not": listed(action_name_query=ActionNameQuery(method=8)),  # type: ignore[arg-type]
    },
    f"{QUERY}.ActionStateQuery: {NESTED} ActionStateQuery.State: "
    "value must be one of the defined enum values": {
        "list, a state that there is not": listed(action_state_query=ActionStateQuery(state=-1)),  # type: ignore[arg-type]
    },
}
INVALID_IN_BINARY: dict[str, dict[str, Message]] = {
    f"CreateActionRequest.Timeout: {INVALID_DURATION} (seconds:1 nanos:-1) "
    "has seconds and nanos with different signs": {
        "create, a timeout that is no Duration": created(timeout=Duration(seconds=1, nanos=-1))
    },
    f"UpdateActionRequest.Id: {RUNES_1_200}": {"update, no id": updated(id="")},
}


@pytest.mark.parametrize(
    ("protocol", "request_", "text"),
    [
        pytest.param(protocol, request, text, id=f"{name}-{protocol}")
        for table, protocols in ((INVALID, PROTOCOLS), (INVALID_IN_BINARY, BINARY))
        for text, requests in table.items()
        for name, request in requests.items()
        for protocol in protocols
    ],
)
async def test_invalid_request_is_answered_with_its_first_fault(
    caller: Caller, protocol: str, request_: Message, text: str
) -> None:
    answer = await caller.ask(protocol, request_)
    assert answer.refusal == (3, f"invalid {text}", ())
    assert answer.http_status == {JSON: 400, GRPC: 0, WEB: 200}[protocol]


async def test_token_is_looked_at_before_the_request(caller: Caller, protocol: str) -> None:
    answer = await caller.api.call(protocol, pb.CreateActionRequest(), token="nonsense")
    assert answer.refusal[:2] == (16, "Errors.Token.Invalid (AUTH-7fs1e)")


async def test_permission_is_looked_at_before_the_request(
    caller: Caller, accounts: Accounts, protocol: str
) -> None:
    _, token = await accounts.token(await accounts.user(caller.org_id, "ORG_OWNER_VIEWER"))
    viewer = dataclasses.replace(caller, token=token)
    answer = await viewer.ask(protocol, pb.CreateActionRequest())
    assert answer.refusal[:2] == (7, "No matching permissions found (AUTH-5mWD2)")


async def test_request_is_looked_at_before_the_command(caller: Caller, protocol: str) -> None:
    answer = await caller.ask(protocol, updated(id="404", name=""))
    assert answer.refusal == (3, f"invalid UpdateActionRequest.Name: {RUNES_1_200}", ())


# Codes over HTTP.


@pytest.mark.parametrize("protocol", [JSON])
@cases(
    "request_, token, status, code",
    {
        "INVALID_ARGUMENT": (pb.CreateActionRequest(), None, 400, 3),
        "NOT_FOUND": (pb.GetActionRequest(id="1"), None, 404, 5),
        "ALREADY_EXISTS": (created(name="taken"), None, 409, 6),
        "FAILED_PRECONDITION, not 412": (updated(id="{taken}", name="taken"), None, 400, 9),
        "UNAUTHENTICATED": (pb.ListActionsRequest(), "act_guessed", 401, 16),
    },
)
async def test_code_has_its_http_status(
    caller: Caller, protocol: str, request_: Any, token: str | None, status: int, code: int
) -> None:
    taken = await action(caller, "taken")
    request = copy.copy(request_)  # each store has an id of its own
    if "id" in request.DESCRIPTOR.fields_by_name:
        request.id = request.id.format(taken=taken)
    asking = caller if token is None else dataclasses.replace(caller, token=token)
    answer = await asking.ask(protocol, request)
    assert (answer.http_status, answer.code) == (status, code)


@pytest.mark.parametrize("protocol", [JSON])
@cases(
    "verb, path, status, body",
    {
        "no route": ("GET", "/nowhere", 404, {"code": 5, "message": "Not Found"}),
        "another method": (
            "PATCH",
            "/actions/1",
            405,
            {"code": 12, "message": "Method Not Allowed"},
        ),
        "an empty segment": ("GET", "/actions/", 404, {"code": 5, "message": "Not Found"}),
    },
)
async def test_an_unknown_route_is_answered_with_a_status(
    caller: Caller,
    server: RealServer,
    protocol: str,
    verb: str,
    path: str,
    status: int,
    body: dict[str, object],
) -> None:
    url = f"http://{server.http}/management/v1{path}"
    async with caller.api.session.request(verb, url) as got:
        assert (got.status, await got.json()) == (status, body)
        assert got.headers.get("Allow") == ("DELETE, GET, HEAD, PUT" if status == 405 else None)


async def test_status_in_json_is_as_documented(caller: Caller) -> None:
    id = await action(caller)
    answer = await caller.ask(JSON, pb.ReactivateActionRequest(id=id))
    assert json.loads(answer.body) == {
        "code": 9,
        "message": "Action is not inactive (COMMAND-J53zh)",
        "details": [
            {
                "@type": "type.googleapis.com/zitadel.v1.ErrorDetail",
                "id": "COMMAND-J53zh",
                "message": "Action is not inactive",
            }
        ],
    }


async def test_plain_status_has_no_details(caller: Caller) -> None:
    answer = await caller.api.call(JSON, pb.ListActionsRequest())
    assert json.loads(answer.body) == {"code": 16, "message": "auth header missing"}


# Languages.

LANGUAGES: list[tuple[dict[str, str], str]] = [
    ({}, "Action not found"),
    ({"accept-language": "de"}, "Die Action wurde nicht gefunden"),
    ({"accept-language": "de-CH, en;q=0.9"}, "Die Action wurde nicht gefunden"),
    ({"accept-language": "fr, en;q=0.5, de;q=0.8"}, "Die Action wurde nicht gefunden"),
    ({"accept-language": "en, de"}, "Action not found"),
    ({"accept-language": "*"}, "Action not found"),
    ({"accept-language": "no;such;thing"}, "Action not found"),
    ({"grpcgateway-accept-language": "de"}, "Die Action wurde nicht gefunden"),
    ({"grpcgateway-accept-language": "de", "accept-language": "en"}, "Action not found"),
]


@pytest.mark.parametrize(("metadata", "text"), LANGUAGES)
async def test_text_is_in_the_language_of_the_call(
    caller: Caller, protocol: str, metadata: dict[str, str], text: str
) -> None:
    answer = await caller.ask(protocol, pb.GetActionRequest(id="1"), metadata=metadata)
    assert answer.refusal == refusal(5, text, "QUERY-GEfnb")


async def test_text_may_be_more_than_ascii(caller: Caller, protocol: str) -> None:
    request = updated(id=await action(caller, "a"))
    answer = await caller.ask(protocol, request, metadata={"accept-language": "de"})
    text = "Keine \u00c4nderungen"
    assert answer.refusal == refusal(9, text, "ACTION-dg4t2")


@pytest.mark.parametrize(
    ("language", "wanted", "text"),
    [
        pytest.param("de", "en", "Die Action wurde nicht gefunden", id="the user's first"),
        pytest.param("fr", "de", "Die Action wurde nicht gefunden", id="one that there is not"),
    ],
)
async def test_language_of_the_user_comes_first(
    caller: Caller, accounts: Accounts, protocol: str, language: str, wanted: str, text: str
) -> None:
    user_id = await accounts.user(caller.org_id, "ORG_OWNER", language=language)
    _, token = await accounts.token(user_id)
    user = dataclasses.replace(caller, token=token)
    metadata = {"accept-language": wanted}
    answer = await user.ask(protocol, pb.GetActionRequest(id="1"), metadata=metadata)
    assert answer.refusal == refusal(5, text, "QUERY-GEfnb")


async def test_key_without_a_text_is_sent_in_each_language(caller: Caller, protocol: str) -> None:
    await action(caller, "taken")
    metadata = {"accept-language": "de"}
    answer = await caller.ask(protocol, created(name="TAKEN"), metadata=metadata)
    assert answer.refusal[:2] == (6, "Errors.Action.AlreadyExists (V3-DKcYh)")


async def test_answer_to_a_bad_token_has_no_language(caller: Caller, protocol: str) -> None:
    stranger = dataclasses.replace(caller, token="act_guessed")
    metadata = {"accept-language": "de"}
    answer = await stranger.ask(protocol, pb.ListActionsRequest(), metadata=metadata)
    assert answer.refusal == refusal(16, "Errors.Token.Invalid", "AUTH-7fs1e")
