"""A header that names an organisation, and cannot: the call is not about another one instead."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from tests.robustness.raw import Client, request
from tests.support.real_server import ACTIONS, RealServer
from tests.support.tables import cases
from zitadel import management_pb2 as pb

HEADER = "x-zitadel-orgid"
UNFIT = f"{HEADER}: expected printable ASCII characters"
EMPTY = f"{HEADER}: expected the id of an organisation, got nothing"
METHOD = "/zitadel.management.v1.ManagementService/ListActions"
WEB = {"Content-Type": "application/grpc-web+proto"}
EMPTY_MESSAGE = b"\0\0\0\0\0"
WAIT_S = 10

CASES = {
    "other than ASCII": ("1\u00e9", UNFIT),
    "control character": ("1\t2", UNFIT),
    "empty": ("", EMPTY),
    "blank": (" \t ", EMPTY),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    with RealServer(tmp_path_factory.mktemp("unfit") / "data") as running:
        running.new_action()
        yield running


@pytest.mark.parametrize("name", [HEADER, f"Grpc-Metadata-{HEADER}"])
@cases("value, message", CASES)
def test_json_is_refused_with_the_name_of_the_header(
    server: RealServer, name: str, value: str, message: str
) -> None:
    octets = request("POST", f"{ACTIONS}/_search", b"{}", token=server.token, headers={name: value})
    with Client(server.http) as client:
        client.send(octets)
        answer = client.answer()
    assert answer is not None
    assert (answer.status, answer.json) == (400, {"code": 3, "message": message})


@cases("value, message", CASES)
def test_grpc_web_is_refused_with_the_name_of_the_header(
    server: RealServer, value: str, message: str
) -> None:
    headers = {**WEB, HEADER: value}
    with Client(server.http) as client:
        client.send(request("POST", METHOD, EMPTY_MESSAGE, token=server.token, headers=headers))
        answer = client.answer()
    assert answer is not None
    text = answer.body + str(answer.headers).encode()
    assert message.encode() in text


def test_a_missing_token_is_refused_first(server: RealServer) -> None:
    octets = request("GET", f"{ACTIONS}/1", headers={HEADER: "\u00e9"})
    with Client(server.http) as client:
        client.send(octets)
        answer = client.answer()
    assert answer is not None
    assert answer.status == 401


@pytest.mark.parametrize("value", ["1\u00e9", "", b"\xff", "1 2"], ids=repr)
def test_grpc_never_answers_for_another_organisation(
    server: RealServer, value: str | bytes
) -> None:
    metadata: Any = (("authorization", f"Bearer {server.token}"), (HEADER, value))
    with grpc.insecure_channel(server.grpc) as channel:
        call: Any = channel.unary_unary(
            METHOD, response_deserializer=pb.ListActionsResponse.FromString
        )
        with pytest.raises((grpc.RpcError, ValueError, TypeError, UnicodeError)):
            call(b"", metadata=metadata, timeout=WAIT_S)
