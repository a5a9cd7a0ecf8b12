"""Memory of calls that are refused: S5 of docs/robustness.md.

A service as an operator starts it, with its own policy of the garbage collector. The bodies are
dense: a megabyte that is hundreds of thousands of messages once it is read, a kilobyte by gzip.
"""

import asyncio
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
import uvloop
from google.protobuf.struct_pb2 import Struct, Value

from actions.v1 import execution_pb2
from tests.robustness.raw import Client, request
from tests.robustness.scenario import Outcome, Scenario, at_most
from tests.support.grpc_frames import COMPRESSED, framed
from tests.support.real_server import RealServer

GROWN_MAX_MIB: Final = 50.0
CALLS_MANY: Final = 1000
"""Number of calls that end by their headers."""
CALLS_FEW: Final = 20
"""Number of calls whose bodies are read: each takes a third of a second."""
WARM_UP: Final = 5

_ITEMS: Final = 340_000
_METHOD: Final = "/actions.v1.ExecutionService/RunTrigger"
_PATIENCE_S: Final = 60.0
_GZIP: Final = {"Content-Encoding": "gzip"}


def dense_json(items: int = _ITEMS) -> bytes:
    return b'{"context":{"claims":{"a":[' + b"{}," * items + b"{}]}}}"


def dense_message(items: int = 3 * _ITEMS) -> bytes:
    """Returns the same as a RunTriggerRequest, of a trigger that does not exist."""
    context = Struct()
    empty = Value(struct_value=Struct())
    context.fields["a"].list_value.values.extend([empty] * items)
    run = execution_pb2.RunTriggerRequest(flow_type="2", trigger_type="999", context=context)
    return run.SerializeToString()


@dataclass(frozen=True, slots=True)
class Refused:
    """One kind of call that is refused.

    Attributes:
        octets: of a request over HTTP; of gRPC, its message.
        expected: how the answer begins over JSON; of gRPC-Web, what its trailers say; of gRPC, the
            name of the code.
    """

    what: str
    octets: bytes
    expected: str
    calls: int
    token: str = ""
    is_grpc: bool = False


def kinds(token: str, *, many: int = CALLS_MANY, few: int = CALLS_FEW) -> list[Refused]:
    """Returns every kind, of a caller without a token, and of the owner."""
    json, message = dense_json(), dense_message()
    found = []
    for of, secret, calls in (("no token", "", many), ("a token", token, few)):
        code = "400" if secret else "401"
        number, name = ("3", "INVALID_ARGUMENT") if secret else ("16", "UNAUTHENTICATED")
        for how, body, headers in (
            ("JSON", json, {}),
            ("JSON by gzip", gzip.compress(json), _GZIP),
        ):
            octets = request("POST", _path("999"), body, token=secret, headers=headers)
            found.append(Refused(f"{how}, {of}", octets, f"{code}", calls))
        for how, frame, more in (
            ("gRPC-Web", framed(message), {}),
            (
                "gRPC-Web by gzip",
                framed(gzip.compress(message), flags=COMPRESSED),
                {"grpc-encoding": "gzip"},
            ),
        ):
            web = {"Content-Type": "application/grpc-web+proto", **more}
            octets = request("POST", _METHOD, frame, token=secret, headers=web)
            found.append(Refused(f"{how}, {of}", octets, f"grpc-status:{number}\r\n", calls))
        found.append(Refused(f"gRPC, {of}", message, name, calls, secret, is_grpc=True))
    found.append(
        Refused("JSON cut short", request("POST", _path("4"), json[:-1], token=token), "400", few)
    )
    found.append(Refused("gRPC cut short", message + b"\x1a", "INTERNAL", few, token, is_grpc=True))
    return found


def _path(trigger: str) -> str:
    return f"/v1/flows/2/triggers/{trigger}:run"


def grown_mib(server: RealServer, kind: Refused) -> float:
    """Makes the calls one after another; returns what the server holds more than before.

    Raises:
        AssertionError: a call was not refused as it should be.
    """
    call = _over_grpc if kind.is_grpc else _over_http
    call(server, kind, WARM_UP)
    before = server.process.resident_mib()
    call(server, kind, kind.calls)
    return server.process.resident_mib() - before


def _over_http(server: RealServer, kind: Refused, calls: int) -> None:
    with Client(server.http, timeout_s=_PATIENCE_S) as client:
        for _ in range(calls):
            client.send(kind.octets)
            answer = client.answer()
            assert answer is not None
            assert kind.expected in f"{answer.status} {answer.body.decode('latin-1')}", answer


def _over_grpc(server: RealServer, kind: Refused, calls: int) -> None:
    uvloop.run(_call_grpc(server.grpc, kind, calls))


async def _call_grpc(address: str, kind: Refused, calls: int) -> None:
    metadata = (("authorization", f"Bearer {kind.token}"),) if kind.token else ()
    async with grpc.aio.insecure_channel(address) as channel:
        method: Any = channel.unary_unary(_METHOD)
        for _ in range(calls):
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    await method(kind.octets, metadata=metadata)
            except grpc.aio.AioRpcError as error:
                code = error.code().name
            assert code == kind.expected


def memory_of_refused(folder: Path) -> Iterator[Outcome]:
    with RealServer(folder / "data", "--no-access-log") as server:
        for kind in kinds(server.token):
            grown = grown_mib(server, kind)
            what = f"{kind.calls:,} refused calls, {kind.what}: memory afterwards"
            yield at_most(what, grown, GROWN_MAX_MIB, "MiB more")


S5: Final = Scenario("S5", "memory of calls that are refused", memory_of_refused)
