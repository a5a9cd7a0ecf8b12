"""Every real client of gRPC-Web and Connect against every way that a call ends, as a table.

Rule: a test says what the caller sees. What a client itself gets wrong is in `SHOWN` and `LATE`,
and told in docs/grpc-web.md.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from google.rpc import status_pb2

from tests.proto.echo_pb2 import CASE_BAD_TRAILERS, CASE_ENDLESS, CASE_ERROR, CASE_WAIT
from tests.support import grpcweb_fixture
from tests.support.client_table import CASES, CLIENTS, PROPERTY
from tests.support.grpcweb_fixture import ERROR_MESSAGE, REPEAT, SAY, Server, serving
from tests.support.tables import cases
from tests.support.web_clients import BufCurl, Client, Driver, JavaScript, decoded

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILES: Final = (*grpcweb_fixture.FILES, status_pb2.DESCRIPTOR)
WAIT_S: Final = 20
DETAILS: Final = [{"type": "google.rpc.ErrorInfo", "value": {"reason": "BUSY", "domain": "größer"}}]
# protobuf-ts does not decode grpc-message, with any server.
SHOWN: Final = {"protobuf-ts": "zu gro%C3%9F: 100%25"}
# grpc-web reads a stream as it comes in text mode alone, and xhr2 gives it nothing before the end.
LATE: Final = ("grpc-web binary, Node", "grpc-web text, Node", "grpc-web binary, Chromium")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(driver: Driver) -> AsyncIterator[Server]:
    async with serving(cors_origins=[driver.origin]) as server:
        yield server


@pytest.fixture(params=CLIENTS)
def name(request: pytest.FixtureRequest) -> str:
    client: str = request.param
    return client


@pytest.fixture
def client(
    name: str,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
    driver: Driver,
    server: Server,
    tmp_path: Path,
) -> Client:
    for marker in request.node.iter_markers("case"):
        assert marker.args[0] in CASES
        record_property(PROPERTY, (name, marker.args[0]))
    if name == "buf curl":
        return BufCurl(server.url, FILES, tmp_path)
    if name == "buf curl by Connect":
        return BufCurl(server.url, FILES, tmp_path, ("--protocol", "connect"))
    client, _, where = name.partition(", ")
    return JavaScript(driver, client, where.lower(), server.url, FILES)


@pytest.fixture
def error_message(name: str) -> str:
    """The error of CASE_ERROR, as the client shows it."""
    return SHOWN.get(name.partition(" ")[0], ERROR_MESSAGE)


@pytest.mark.case("unary")
async def test_a_unary_call_gets_its_message(client: Client) -> None:
    call = await client.start(SAY, {"name": "größe"})
    outcome = await call.outcome()
    assert outcome.messages == [{"name": "größe", "index": 1}]
    assert (outcome.code, outcome.error, outcome.details) == (0, "", [])


async def test_a_large_message_comes_whole(client: Client) -> None:
    # Long enough to be compressed for a client that takes that, as buf curl does.
    call = await client.start(SAY, {"size": 100_000})
    outcome = await call.outcome()
    assert outcome.code == 0
    (message,) = outcome.messages
    assert decoded(message["payload"]) == b"x" * 100_000


@pytest.mark.case("error with details")
async def test_a_unary_error_comes_with_its_details(client: Client, error_message: str) -> None:
    call = await client.start(SAY, {"case": CASE_ERROR})
    outcome = await call.outcome()
    assert outcome.messages == []
    assert (outcome.code, outcome.error) == (9, error_message)
    assert outcome.details == DETAILS


@pytest.mark.case("deadline")
async def test_a_deadline_ends_the_call_on_both_sides(
    client: Client, name: str, server: Server
) -> None:
    call = await client.start(SAY, {"name": f"{name}: late", "case": CASE_WAIT}, timeout_ms=500)
    outcome = await call.outcome()
    assert (outcome.messages, outcome.code) == ([], 4)
    async with asyncio.timeout(WAIT_S):
        await server.servicer.cancelled[f"{name}: late"].wait()


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(0, id="none", marks=pytest.mark.case("stream of 0")),
        pytest.param(1, id="one", marks=pytest.mark.case("stream of 1")),
        pytest.param(1000, id="1,000", marks=pytest.mark.case("stream of 1,000")),
    ],
)
async def test_a_stream_gives_its_messages_in_order(client: Client, count: int) -> None:
    call = await client.start(REPEAT, {"name": "größe", "count": count})
    outcome = await call.outcome()
    assert outcome.messages == [{"name": "größe", "index": n} for n in range(1, count + 1)]
    assert (outcome.code, outcome.error, outcome.details) == (0, "", [])


@pytest.mark.case("error after 3")
async def test_an_error_follows_the_messages_before_it(client: Client, error_message: str) -> None:
    call = await client.start(REPEAT, {"case": CASE_ERROR, "count": 3})
    outcome = await call.outcome()
    assert outcome.messages == [{"index": 1}, {"index": 2}, {"index": 3}]
    assert (outcome.code, outcome.error) == (9, error_message)
    assert outcome.details == DETAILS


@pytest.mark.case("non-ASCII trailers")
@pytest.mark.parametrize("path", [SAY, REPEAT], ids=["unary", "stream"])
async def test_non_ascii_trailers_arrive_as_bytes_or_not_at_all(client: Client, path: str) -> None:
    call = await client.start(path, {"count": 1})
    sent = await call.outcome()
    call = await client.start(path, {"count": 1, "case": CASE_BAD_TRAILERS})
    refused = await call.outcome()
    assert (sent.messages, sent.code) == ([{"index": 1}], 0)
    assert (refused.messages, refused.code) == ([{"index": 1}], 0)
    if sent.metadata is not None and refused.metadata is not None:
        assert sent.metadata["x-name"] == "plain"
        assert decoded(sent.metadata["x-name-bin"]).decode() == "größer"
        assert refused.metadata["x-name"] == "plain"
        assert "x-bad" not in refused.metadata


@pytest.mark.case("cancel")
@cases("path, case", {"unary": (SAY, CASE_WAIT), "stream": (REPEAT, CASE_ENDLESS)})
async def test_the_server_sees_that_a_client_cancels(
    client: Client, name: str, server: Server, path: str, case: int
) -> None:
    call_name = f"{name}: {path} left"
    call = await client.start(path, {"name": call_name, "case": case})
    async with asyncio.timeout(WAIT_S):
        await server.servicer.started[call_name].wait()
        await call.cancel()
        await server.servicer.cancelled[call_name].wait()


@pytest.mark.case("cancel")
async def test_messages_come_before_the_stream_ends(
    client: Client, name: str, server: Server
) -> None:
    call_name = f"{name}: three, then left"
    call = await client.start(REPEAT, {"name": call_name, "case": CASE_WAIT, "count": 3})
    async with asyncio.timeout(WAIT_S):
        await server.servicer.started[call_name].wait()
        while await call.received() < (0 if name in LATE else 3):
            await asyncio.sleep(0)
        await call.cancel()
        await server.servicer.cancelled[call_name].wait()
