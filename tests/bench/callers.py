"""Makes the requests of measured callers: the constant answer, a stream, or their own action.

Rule: an answer is judged by its bytes. A constant one must be the same to the last byte; a durable
one must carry the next sequence of the caller's action, so that an answer without a write shows.
"""

import re
from typing import Final

from google.protobuf.message import Message

from tests.bench.http2 import header_block
from tests.proto.echo_pb2 import EchoReply, EchoRequest
from tests.support.grpc_frames import framed
from tests.support.grpcweb_fixture import REPEAT
from zitadel import management_pb2

REST_PREFIX: Final = "/management/v1"
STREAM_MESSAGES: Final = 10_000
STREAM_PAYLOAD_BYTES: Final = 100
STREAM_NAME: Final = "bench"
_OK: Final = re.compile(rb"^grpc-status: ?0\r$", re.MULTILINE)

SERVICE: Final = "/zitadel.management.v1.ManagementService"
CONSTANT_ID: Final = "123456789012345678"
CONSTANT_JSON: Final = (
    b'{"details":{"sequence":"3","creationDate":"2026-01-02T03:04:05.678901Z",'
    b'"changeDate":"2026-01-03T03:04:05.678901Z","resourceOwner":"223456789012345678"}}'
)
"""The constant servicer's message in ProtoJSON; the bare server answers it."""

CONSTANT_JSON_FORMAT: Final = b"""{
  "details": {
    "sequence": "3",
    "creationDate": "2026-01-02T03:04:05.678901Z",
    "changeDate": "2026-01-03T03:04:05.678901Z",
    "resourceOwner": "223456789012345678"
  }
}"""
"""The same message in the layout of json_format, which connectrpc answers."""


def constant_message() -> management_pb2.ReactivateActionResponse:
    """The constant servicer's answer."""
    message = management_pb2.ReactivateActionResponse()
    message.details.sequence = 3
    message.details.creation_date.FromJsonString("2026-01-02T03:04:05.678901Z")
    message.details.change_date.FromJsonString("2026-01-03T03:04:05.678901Z")
    message.details.resource_owner = "223456789012345678"
    return message


def http_request(
    path: str, *, token: str, body: bytes = b"{}", verb: str = "POST", headers: str = ""
) -> bytes:
    """A JSON request, as a client would send it."""
    headers = f"Content-Type: application/json\r\n{headers}" if body else headers
    return _request(path, headers, token=token, body=body, verb=verb)


def connect_stream_request(path: str, *, token: str, body: bytes) -> bytes:
    """A request of Connect with one message of a stream, as JSON."""
    headers = "Content-Type: application/connect+json\r\nConnect-Protocol-Version: 1\r\n"
    return _request(path, headers, token=token, body=framed(body))


def web_request(path: str, message: Message, *, token: str) -> bytes:
    """A gRPC-Web request, as a client would send it."""
    headers = "Content-Type: application/grpc-web+proto\r\nX-Grpc-Web: 1\r\n"
    return _request(path, headers, token=token, body=framed(message.SerializeToString()))


def _request(path: str, headers: str, *, token: str, body: bytes, verb: str = "POST") -> bytes:
    return (
        f"{verb} {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n"
        f"Authorization: Bearer {token}\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    ).encode("ascii") + body


class ConstantHttp:
    """Asks the same again and again."""

    def __init__(self, token: str, *, prefix: str = REST_PREFIX) -> None:
        self._request = http_request(f"{prefix}/actions/{CONSTANT_ID}/_reactivate", token=token)

    def ask(self) -> bytes:
        return self._request

    def accepts(self, body: bytes) -> bool:
        return body == CONSTANT_JSON


class ConstantGateway(ConstantHttp):
    """Asks the same again and again, of grpc-gateway or Envoy, which serve without a prefix."""

    def __init__(self, token: str) -> None:
        super().__init__(token, prefix="")

    def accepts(self, body: bytes) -> bool:
        # In one build out of two Go's protojson writes a space behind each comma.
        return body == CONSTANT_JSON or body.replace(b" ", b"") == CONSTANT_JSON


class ConstantConnect:
    """Asks the same again and again, of connectrpc."""

    def __init__(self, token: str) -> None:
        self._request = http_request(
            f"{SERVICE}/ReactivateAction", token=token, body=b'{"id":"%s"}' % CONSTANT_ID.encode()
        )

    def ask(self) -> bytes:
        return self._request

    def accepts(self, body: bytes) -> bool:
        return body == CONSTANT_JSON_FORMAT


class ConstantWeb:
    """Asks the same again and again, over gRPC-Web."""

    def __init__(self, token: str) -> None:
        request = management_pb2.ReactivateActionRequest(id=CONSTANT_ID)
        self._request = web_request(f"{SERVICE}/ReactivateAction", request, token=token)
        self._messages = framed(constant_message().SerializeToString())

    def ask(self) -> bytes:
        return self._request

    def accepts(self, body: bytes) -> bool:
        return _is_whole(body, self._messages)


class StreamWeb:
    """Asks for a stream over gRPC-Web, of which each message must be there."""

    def __init__(self, token: str) -> None:
        request = EchoRequest(name=STREAM_NAME, count=STREAM_MESSAGES, size=STREAM_PAYLOAD_BYTES)
        self._request = web_request(REPEAT, request, token=token)
        payload = b"x" * STREAM_PAYLOAD_BYTES
        self._messages = b"".join(
            framed(EchoReply(name=STREAM_NAME, index=at, payload=payload).SerializeToString())
            for at in range(1, STREAM_MESSAGES + 1)
        )

    def ask(self) -> bytes:
        return self._request

    def accepts(self, body: bytes) -> bool:
        return _is_whole(body, self._messages)


def _is_whole(body: bytes, messages: bytes) -> bool:
    """True if a gRPC-Web body is these frames and one trailer frame with OK."""
    trailer = body[len(messages) :]
    return (
        body.startswith(messages)
        and trailer[:1] == b"\x80"
        and int.from_bytes(trailer[1:5]) == len(trailer) - 5
        and _OK.search(trailer[5:]) is not None
    )


class ConstantGrpc:
    """Asks the same again and again, natively."""

    def __init__(self, token: str) -> None:
        request = management_pb2.ReactivateActionRequest(id=CONSTANT_ID)
        self._call = (_headers("ReactivateAction", token), framed(request.SerializeToString()))
        self._answer = constant_message().SerializeToString()

    def ask(self) -> tuple[bytes, bytes]:
        return self._call

    def accepts(self, message: bytes) -> bool:
        return message == self._answer


class Toggling:
    """An action of one's own: deactivated, reactivated, deactivated again.

    Half of what is counted are deactivations: the same path through the server, and the only way to
    have something to reactivate.
    """

    def __init__(self, *, sequence: int) -> None:
        """Begin with an active action.

        Args:
            sequence: of the action's last event.
        """
        self._sequence = sequence
        self._is_active = True

    def _turn(self) -> int:
        """0 to deactivate, 1 to reactivate."""
        self._sequence += 1
        self._is_active = not self._is_active
        return int(self._is_active)


class TogglingHttp(Toggling):
    def __init__(self, action_id: str, token: str, *, sequence: int) -> None:
        super().__init__(sequence=sequence)
        self._requests = [
            http_request(f"/management/v1/actions/{action_id}/{verb}", token=token)
            for verb in ("_deactivate", "_reactivate")
        ]

    def ask(self) -> bytes:
        return self._requests[self._turn()]

    def accepts(self, body: bytes) -> bool:
        return body.startswith(b'{"details":{"sequence":"%d",' % self._sequence)


class TogglingGrpc(Toggling):
    def __init__(self, action_id: str, token: str, *, sequence: int) -> None:
        super().__init__(sequence=sequence)
        message = framed(management_pb2.ReactivateActionRequest(id=action_id).SerializeToString())
        self._calls = [
            (_headers(rpc, token), message) for rpc in ("DeactivateAction", "ReactivateAction")
        ]

    def ask(self) -> tuple[bytes, bytes]:
        return self._calls[self._turn()]

    def accepts(self, message: bytes) -> bool:
        # details (field 1, length-delimited), in it first the sequence (field 1, varint).
        return message[:1] == b"\x0a" and message[2:].startswith(b"\x08" + _varint(self._sequence))


def _headers(rpc: str, token: str) -> bytes:
    return header_block(f"{SERVICE}/{rpc}", {"authorization": f"Bearer {token}"})


def _varint(value: int) -> bytes:
    octets = bytearray()
    while value > 0x7F:
        octets.append(0x80 | value & 0x7F)
        value >>= 7
    octets.append(value)
    return bytes(octets)
