"""A request may hold a secret anywhere; a refusal does not put it into the log."""

import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from tests.robustness.raw import Client, request
from tests.support.real_server import ACTIONS, RealServer

SECRET = "5ecret"
WAIT_S = 10
SEARCH = f"{ACTIONS}/_search"
METHOD = "/zitadel.management.v1.ManagementService/GetAction"
WEB = {"Content-Type": "application/grpc-web+proto"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    with RealServer(tmp_path_factory.mktemp("secrets") / "data") as running:
        yield running


def log_of(server: RealServer) -> str:
    """All that is logged so far: lines keep their order, so up to a line of its own."""
    with Client(server.http) as client:
        client.send(request("GET", "/last", headers={"x-request-id": f"last-{time.monotonic()}"}))
        answer = client.answer()
    assert answer is not None
    until = time.monotonic() + WAIT_S
    while answer.headers["x-request-id"] not in (text := server.log()):
        assert time.monotonic() < until
        time.sleep(0.01)
    return text


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        pytest.param(request("GET", f"/x?access_token={SECRET}"), 404, id="query"),
        pytest.param(request("PATCH", f"{SEARCH}?a={SECRET}"), 405, id="query, wrong method"),
        pytest.param(request("GET", f"http://u:{SECRET}@h/x"), 404, id="user of a target"),
        pytest.param(request("GET", f"u:{SECRET}@h"), 400, id="user of another target"),
        pytest.param(
            f"GET /x?a={SECRET} HTTP/9.9\r\n\r\n".encode(), 400, id="request line, version"
        ),
        pytest.param(f"GET /x?a={SECRET}\r\n\r\n".encode(), 400, id="request line, cut"),
        pytest.param(
            f"GET / HTTP/1.1\r\nHost: a\r\nToken {SECRET}\r\n\r\n".encode(), 400, id="head"
        ),
        pytest.param(
            request("GET", "/x", headers={"Token": SECRET + "a" * 9000}), 431, id="long header"
        ),
        pytest.param(
            request("POST", SEARCH, b"{}", headers={"Grpc-Timeout": SECRET}), 400, id="grpc-timeout"
        ),
        pytest.param(
            request("POST", SEARCH, b"{}", headers={"x-a-bin": f"{SECRET}!"}), 400, id="-bin header"
        ),
        pytest.param(request("GET", "/x", headers={"Origin": SECRET}), 404, id="origin"),
        pytest.param(request("GET", f"{ACTIONS}/1", token=SECRET), 401, id="token"),
        pytest.param(request("GET", f"{ACTIONS}/1", token=f"{SECRET}.a.b"), 401, id="JWT"),
    ],
)
def test_a_refusal_without_a_token_keeps_the_secret(
    server: RealServer, octets: bytes, status: int
) -> None:
    with Client(server.http) as client:
        client.send(octets)
        answer = client.answer()
    assert answer is not None
    assert answer.status == status
    assert SECRET not in log_of(server)


@pytest.mark.parametrize(
    ("verb", "path", "body", "headers"),
    [
        pytest.param("POST", SEARCH, f'{{"query":{{"offset":"{SECRET}"}}}}', {}, id="field"),
        pytest.param("POST", SEARCH, f'{{"queries":["{SECRET}', {}, id="JSON, cut"),
        pytest.param("POST", SEARCH, "{}", {"Content-Type": f"text/{SECRET}"}, id="type"),
        pytest.param("POST", SEARCH, "{}", {"Content-Encoding": SECRET}, id="coding"),
        pytest.param("POST", METHOD, SECRET, WEB, id="gRPC-Web"),
        pytest.param(
            "POST", METHOD, SECRET, {**WEB, "Grpc-Encoding": SECRET}, id="gRPC-Web, coding"
        ),
    ],
)
def test_a_refusal_of_a_body_keeps_the_secret(
    server: RealServer, verb: str, path: str, body: str, headers: dict[str, str]
) -> None:
    with Client(server.http) as client:
        client.send(request(verb, path, body.encode(), token=server.token, headers=headers))
        assert client.answer() is not None
    log = log_of(server)
    assert SECRET not in log
    assert server.token not in log


def test_a_refusal_over_grpc_keeps_the_secret(server: RealServer) -> None:
    with grpc.insecure_channel(server.grpc) as channel:
        call: Any = channel.unary_unary(METHOD)
        for metadata, message in (
            ((("authorization", f"Bearer {SECRET}"),), b""),
            ((("authorization", f"Bearer {server.token}"),), SECRET.encode()),
            ((("authorization", f"Bearer {server.token}"), ("x-zitadel-orgid", SECRET)), b""),
        ):
            with pytest.raises(grpc.RpcError):
                call(message, metadata=metadata, timeout=WAIT_S)
    assert SECRET not in log_of(server)
