"""A request may hold a secret anywhere; a refusal does not put it into the log."""

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import grpc
import pytest

from tests.robustness.raw import Client, request
from tests.support.machine_keys import assertion_of, bearer_form
from tests.support.real_server import ACTIONS, RealServer
from tests.support.tables import cases

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


def test_what_gets_a_token_is_in_no_log(server: RealServer) -> None:
    (user,) = server.command("user", "list")
    made = server.ask("POST", f"/v1/users/{user['id']}/keys", {"type": "KEY_TYPE_CLIENT_SECRET"})
    file = server.ask("POST", f"/v1/users/{user['id']}/keys", {})["keyFile"]
    assertion = assertion_of(file, f"http://{server.http}", now_s=int(time.time()))
    secret = {"client_id": user["id"], "client_secret": made["clientSecret"]}
    tokens = []
    for form in ({"grant_type": "client_credentials", **secret}, bearer_form(assertion)):
        with Client(server.http) as client:
            client.send(
                request(
                    *("POST", "/oauth/v2/token?a=" + SECRET, urlencode(form).encode()),
                    headers={
                        "Host": server.http,
                        "Content-Type": "application/x-www-form-urlencoded",
                    },
                )
            )
            answer = client.answer()
        assert answer is not None
        tokens.append(json.loads(answer.body)["access_token"])
    text = log_of(server)
    assert text.count("access token issued") == 2
    assert text.count("request method=POST path=/oauth/v2/token status=200 ms=") == 2
    for hidden in (SECRET, made["clientSecret"], assertion, *tokens):
        assert hidden not in text


@cases(
    "octets, status",
    {
        "query": (request("GET", f"/x?access_token={SECRET}"), 404),
        "query, wrong method": (request("PATCH", f"{SEARCH}?a={SECRET}"), 405),
        "user of a target": (request("GET", f"http://u:{SECRET}@h/x"), 404),
        "user of another target": (request("GET", f"u:{SECRET}@h"), 400),
        "request line, version": (f"GET /x?a={SECRET} HTTP/9.9\r\n\r\n".encode(), 400),
        "request line, cut": (f"GET /x?a={SECRET}\r\n\r\n".encode(), 400),
        "head": (f"GET / HTTP/1.1\r\nHost: a\r\nToken {SECRET}\r\n\r\n".encode(), 400),
        "long header": (request("GET", "/x", headers={"Token": SECRET + "a" * 9000}), 431),
        "grpc-timeout": (request("POST", SEARCH, b"{}", headers={"Grpc-Timeout": SECRET}), 400),
        "-bin header": (request("POST", SEARCH, b"{}", headers={"x-a-bin": f"{SECRET}!"}), 400),
        "origin": (request("GET", "/x", headers={"Origin": SECRET}), 404),
        "token": (request("GET", f"{ACTIONS}/1", token=SECRET), 401),
        "JWT": (request("GET", f"{ACTIONS}/1", token=f"{SECRET}.a.b"), 401),
    },
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


@cases(
    "verb, path, body, headers",
    {
        "field": ("POST", SEARCH, f'{{"query":{{"offset":"{SECRET}"}}}}', {}),
        "JSON, cut": ("POST", SEARCH, f'{{"queries":["{SECRET}', {}),
        "type": ("POST", SEARCH, "{}", {"Content-Type": f"text/{SECRET}"}),
        "coding": ("POST", SEARCH, "{}", {"Content-Encoding": SECRET}),
        "gRPC-Web": ("POST", METHOD, SECRET, WEB),
        "gRPC-Web, coding": ("POST", METHOD, SECRET, {**WEB, "Grpc-Encoding": SECRET}),
    },
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
