"""docs/api.md "Headers", over each protocol."""

import aiohttp
import pytest
from google.protobuf.message import Message

from tests.support.api_client import GRPC, JSON, WEB, Caller
from tests.support.prepared import action
from tests.support.real_server import RealServer
from zitadel import management_pb2 as pb

SUBJECT = "Headers"

OF_HTTP = {
    "cache-control": "no-store",
    "expires": "Thu, 01 Jan 1970 00:00:00 GMT",
    "pragma": "no-cache",
    "x-robots-tag": "none",
}
REST = "/management/v1"


# Headers out.


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        pytest.param(pb.ListActionsRequest(), 0, id="an answer"),
        pytest.param(pb.HealthzRequest(), 0, id="a method without a token"),
        pytest.param(pb.GetActionRequest(id="1"), 5, id="a refusal"),
        pytest.param(pb.CreateActionRequest(), 3, id="an invalid request"),
    ],
)
async def test_answer_over_http_is_not_to_be_cached(
    caller: Caller, protocol: str, request_: Message, code: int
) -> None:
    answer = await caller.ask(protocol, request_)
    assert answer.code == code
    assert answer.metadata["x-request-id"]
    headers = {name: answer.metadata[name] for name in OF_HTTP if name in answer.metadata}
    assert headers == ({} if protocol == GRPC else OF_HTTP)
    assert [name for name in answer.metadata if name.startswith("grpcgateway-")] == []


async def test_refused_token_over_http_is_not_to_be_cached(caller: Caller, protocol: str) -> None:
    answer = await caller.api.call(protocol, pb.ListActionsRequest())
    assert answer.refusal == (16, "auth header missing", ())
    assert protocol == GRPC or answer.metadata.items() >= OF_HTTP.items()
    assert answer.metadata.get("www-authenticate") == ("Bearer" if protocol == JSON else None)


@pytest.mark.parametrize("protocol", [JSON, WEB])
@pytest.mark.parametrize(
    "path", ["/nowhere", f"{REST}/actions/1/_nowhere", "/healthz", f"{REST}/actions"]
)
async def test_headers_come_once(
    caller: Caller, server: RealServer, protocol: str, path: str
) -> None:
    content_type = {JSON: "application/json", WEB: "application/grpc-web+proto"}[protocol]
    headers = {"Content-Type": content_type}
    url = f"http://{server.http}{path}"
    async with caller.api.session.post(url, data=b"", headers=headers) as got:
        for name in ("Cache-Control", "Expires", "Pragma", "X-Robots-Tag", "X-Request-Id"):
            assert len(got.headers.getall(name)) == 1


async def test_refused_head_has_them_too(server: RealServer) -> None:
    async with aiohttp.ClientSession() as session:
        url = f"http://{server.http}/healthz"
        async with session.get(url, headers={"Transfer-Encoding": "what"}) as got:
            assert (got.status, got.headers["Cache-Control"]) == (400, "no-store")


# Headers in.


async def test_organisation_is_that_of_the_header(
    caller: Caller, stranger: Caller, server: RealServer, protocol: str
) -> None:
    await action(stranger)
    request = pb.ListActionsRequest()
    own = await caller.api.call(protocol, request, token=server.token)
    theirs = await caller.api.call(protocol, request, token=server.token, org_id=stranger.org_id)
    assert (len(own.response.result), len(theirs.response.result)) == (0, 1)


@pytest.mark.parametrize("protocol", [JSON, WEB])
async def test_metadata_may_be_prefixed_as_for_grpc_gateway(
    caller: Caller, stranger: Caller, server: RealServer, protocol: str
) -> None:
    await action(stranger)
    metadata = {
        "Grpc-Metadata-Authorization": f"Bearer {server.token}",
        "Grpc-Metadata-x-zitadel-orgid": stranger.org_id,
    }
    answer = await caller.api.call(protocol, pb.ListActionsRequest(), metadata=metadata)
    assert len(answer.response.result) == 1


@pytest.mark.parametrize("protocol", [JSON, WEB])
async def test_timeout_of_the_caller_is_kept(caller: Caller, protocol: str) -> None:
    answer = await caller.ask(protocol, pb.ListActionsRequest(), metadata={"grpc-timeout": "0n"})
    assert answer.code == 4


@pytest.mark.parametrize("protocol", [JSON, WEB])
async def test_invalid_timeout_is_named(caller: Caller, protocol: str) -> None:
    answer = await caller.ask(protocol, pb.ListActionsRequest(), metadata={"grpc-timeout": "1h"})
    assert (answer.code, answer.message) == (
        3,
        "header grpc-timeout: expected 1 to 8 digits and a unit (H M S m u n), got '1h'",
    )
