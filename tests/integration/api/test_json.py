"""docs/api.md "JSON", over REST."""

import json
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from tests.support.api_client import JSON, Caller
from tests.support.prepared import action
from tests.support.real_server import RealServer

SUBJECT = "JSON"

REST = "/management/v1"


class Rest:
    """JSON as written in a test, to one server."""

    def __init__(self, caller: Caller, server: RealServer) -> None:
        self._session = caller.api.session
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


@pytest.mark.parametrize("protocol", [JSON])
async def test_json_leaves_out_defaults_and_writes_names(
    caller: Caller, rest: Rest, protocol: str
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


@pytest.mark.parametrize("protocol", [JSON])
async def test_json_of_an_empty_list_has_no_list(rest: Rest, protocol: str) -> None:
    status, body = await rest.ask("POST", "/actions/_search", "{}")
    assert (status, set(body), set(body["details"])) == (200, {"details"}, {"viewTimestamp"})


@pytest.mark.parametrize("protocol", [JSON])
@pytest.mark.parametrize("name", ["allowedToFail", "allowed_to_fail"])
async def test_json_takes_both_names_of_a_field(rest: Rest, protocol: str, name: str) -> None:
    body = json.dumps({"name": "n", "script": "s", name: True, "no_such": [1]})
    status, created = await rest.ask("POST", "/actions", body)
    _, got = await rest.ask("GET", f"/actions/{created['id']}")
    assert (status, got["action"]["allowedToFail"]) == (200, True)


@pytest.mark.parametrize("protocol", [JSON])
async def test_path_overrides_the_body(caller: Caller, rest: Rest, protocol: str) -> None:
    id = await action(caller)
    body = json.dumps({"id": "1", "name": "renamed", "script": "s"})
    status, _ = await rest.ask("PUT", f"/actions/{id}", body)
    _, got = await rest.ask("GET", f"/actions/{id}")
    assert (status, got["action"]["name"]) == (200, "renamed")


@pytest.mark.parametrize("protocol", [JSON])
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
async def test_bad_json_is_named(rest: Rest, protocol: str, body: str, named: str) -> None:
    status, answer = await rest.ask("POST", "/actions", body)
    assert (status, answer["code"], "details" in answer) == (400, 3, False)
    assert named in answer["message"]


@pytest.mark.parametrize("protocol", [JSON])
@pytest.mark.parametrize(
    "query", [{"offset": "18446744073709551615"}, {"offset": 0, "limit": "1000", "asc": True}]
)
async def test_numbers_of_64_bits_may_be_text(
    rest: Rest, protocol: str, query: dict[str, object]
) -> None:
    status, _ = await rest.ask("POST", "/actions/_search", json.dumps({"query": query}))
    assert status == 200
