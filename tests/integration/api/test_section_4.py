"""Section 4 of the Actions API, "The front": headers both ways and JSON, at each door.

Rows of Auth are asked in tests of identity. What is meant to differ stands in docs/differences.md.
"""

import json
from typing import Any

import aiohttp
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from tests.doors import DOORS, GRPC, JSON, WEB, Caller
from tests.prepared import action
from tests.real_server import RealServer
from zitadel import management_pb2 as pb

NO_CACHE = {"cache-control": "no-store", "pragma": "no-cache"}
REST = "/management/v1"


# Headers out.


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("request_", "code"),
    [
        pytest.param(pb.ListActionsRequest(), 0, id="an answer"),
        pytest.param(pb.HealthzRequest(), 0, id="a method without a token"),
        pytest.param(pb.GetActionRequest(id="1"), 5, id="a refusal"),
        pytest.param(pb.CreateActionRequest(), 3, id="an invalid request"),
    ],
)
async def test_no_answer_is_to_be_cached(
    caller: Caller, door: str, request_: Message, code: int
) -> None:
    answer = await caller.ask(door, request_)
    assert answer.code == code
    assert answer.metadata.items() >= NO_CACHE.items()
    assert answer.metadata["expires"] == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert (answer.metadata.get("x-robots-tag") == "none") == (door != GRPC)
    assert [name for name in answer.metadata if name.startswith("grpcgateway-")] == []


@pytest.mark.parametrize("door", DOORS)
async def test_refused_token_is_not_to_be_cached(caller: Caller, door: str) -> None:
    answer = await caller.doors.call(door, pb.ListActionsRequest())
    assert answer.refusal == (16, "auth header missing", ())
    assert answer.metadata.items() >= NO_CACHE.items()
    assert answer.metadata.get("www-authenticate") == ("Bearer" if door == JSON else None)


@pytest.mark.parametrize("door", [JSON, WEB])
@pytest.mark.parametrize(
    "path", ["/nowhere", f"{REST}/actions/1/_nowhere", "/healthz", f"{REST}/actions"]
)
async def test_headers_come_once(caller: Caller, server: RealServer, door: str, path: str) -> None:
    content_type = {JSON: "application/json", WEB: "application/grpc-web+proto"}[door]
    headers = {"Content-Type": content_type}
    url = f"http://{server.http}{path}"
    async with caller.doors.session.post(url, data=b"", headers=headers) as got:
        for name in ("Cache-Control", "Expires", "Pragma", "X-Robots-Tag", "X-Request-Id"):
            assert len(got.headers.getall(name)) == 1


async def test_refused_head_has_them_too(server: RealServer) -> None:
    async with aiohttp.ClientSession() as session:
        url = f"http://{server.http}/healthz"
        async with session.get(url, headers={"Transfer-Encoding": "what"}) as got:
            assert (got.status, got.headers["Cache-Control"]) == (400, "no-store")


# Headers in.


@pytest.mark.parametrize("door", DOORS)
async def test_organisation_is_that_of_the_header(
    caller: Caller, stranger: Caller, server: RealServer, door: str
) -> None:
    await action(stranger)
    request = pb.ListActionsRequest()
    own = await caller.doors.call(door, request, token=server.token)
    theirs = await caller.doors.call(door, request, token=server.token, org_id=stranger.org_id)
    assert (len(own.response.result), len(theirs.response.result)) == (0, 1)


@pytest.mark.parametrize("door", [JSON, WEB])
async def test_metadata_may_be_prefixed_as_for_grpc_gateway(
    caller: Caller, stranger: Caller, server: RealServer, door: str
) -> None:
    await action(stranger)
    metadata = {
        "Grpc-Metadata-Authorization": f"Bearer {server.token}",
        "Grpc-Metadata-x-zitadel-orgid": stranger.org_id,
    }
    answer = await caller.doors.call(door, pb.ListActionsRequest(), metadata=metadata)
    assert len(answer.response.result) == 1


@pytest.mark.parametrize("door", [JSON, WEB])
async def test_timeout_of_the_caller_is_kept(caller: Caller, door: str) -> None:
    answer = await caller.ask(door, pb.ListActionsRequest(), metadata={"grpc-timeout": "0n"})
    assert answer.code == 4


@pytest.mark.parametrize("door", [JSON, WEB])
async def test_timeout_that_is_none_is_named(caller: Caller, door: str) -> None:
    answer = await caller.ask(door, pb.ListActionsRequest(), metadata={"grpc-timeout": "1h"})
    assert (answer.code, answer.message) == (
        3,
        "header grpc-timeout: expected 1 to 8 digits and a unit (H M S m u n), got '1h'",
    )


# JSON.


class Rest:
    """JSON as written in a test, to one server."""

    def __init__(self, caller: Caller, server: RealServer) -> None:
        self._session = caller.doors.session
        self._url = f"http://{server.http}{REST}"
        self._headers = {
            "Authorization": f"Bearer {caller.token}",
            "x-zitadel-orgid": caller.org_id,
            "Content-Type": "application/json",
        }

    async def ask(self, verb: str, path: str, body: str | None = None) -> tuple[int, Any]:
        async with self._session.request(
            verb, self._url + path, data=body, headers=self._headers
        ) as got:
            assert got.headers.getall("Content-Type") == ["application/json"]
            return got.status, json.loads(await got.read())


@pytest.fixture
def rest(caller: Caller, server: RealServer) -> Rest:
    return Rest(caller, server)


@pytest.mark.parametrize("door", [JSON])
async def test_json_leaves_out_defaults_and_writes_names(
    caller: Caller, rest: Rest, door: str
) -> None:
    id = await action(caller, timeout=Duration(seconds=10))
    status, body = await rest.ask("GET", f"/actions/{id}")
    details = body["action"].pop("details")
    assert (status, body) == (
        200,
        {
            "action": {
                "id": id,
                "state": "ACTION_STATE_ACTIVE",
                "name": "greet",
                "script": "s",
                "timeout": "10s",
            }
        },
    )
    assert (details["sequence"], details["resourceOwner"]) == ("1", caller.org_id)
    assert details["creationDate"].endswith("Z")
    assert details["creationDate"] == details["changeDate"]


@pytest.mark.parametrize("door", [JSON])
async def test_json_of_an_empty_list_has_no_list(rest: Rest, door: str) -> None:
    status, body = await rest.ask("POST", "/actions/_search", "{}")
    assert (status, set(body), set(body["details"])) == (200, {"details"}, {"viewTimestamp"})


@pytest.mark.parametrize("door", [JSON])
@pytest.mark.parametrize("name", ["allowedToFail", "allowed_to_fail"])
async def test_json_takes_both_names_of_a_field(rest: Rest, door: str, name: str) -> None:
    body = json.dumps({"name": "n", "script": "s", name: True, "no_such": [1]})
    status, created = await rest.ask("POST", "/actions", body)
    _, got = await rest.ask("GET", f"/actions/{created['id']}")
    assert (status, got["action"]["allowedToFail"]) == (200, True)


@pytest.mark.parametrize("door", [JSON])
async def test_path_overrides_the_body(caller: Caller, rest: Rest, door: str) -> None:
    id = await action(caller)
    body = json.dumps({"id": "1", "name": "renamed", "script": "s"})
    status, _ = await rest.ask("PUT", f"/actions/{id}", body)
    _, got = await rest.ask("GET", f"/actions/{id}")
    assert (status, got["action"]["name"]) == (200, "renamed")


@pytest.mark.parametrize("door", [JSON])
@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("[]", "body: expected an object"),
        ("{", "body: "),
        ('{"name": 1}', "name: "),
        ('{"timeout": "1h"}', "timeout: "),
        ('{"timeout": "315576000001s"}', "timeout: "),
        ('{"timeout": "1.0000000001s"}', "timeout: "),
        ('{"allowedToFail": "true"}', "allowedToFail: "),
    ],
)
async def test_bad_json_is_named(rest: Rest, door: str, body: str, named: str) -> None:
    status, answer = await rest.ask("POST", "/actions", body)
    assert (status, answer["code"], "details" in answer) == (400, 3, False)
    assert named in answer["message"]


@pytest.mark.parametrize("door", [JSON])
@pytest.mark.parametrize(
    "query",
    [
        {"offset": "18446744073709551615"},
        {"offset": 0, "limit": "1000", "asc": True},
    ],
)
async def test_numbers_of_64_bits_may_be_text(
    rest: Rest, door: str, query: dict[str, object]
) -> None:
    status, _ = await rest.ask("POST", "/actions/_search", json.dumps({"query": query}))
    assert status == 200
