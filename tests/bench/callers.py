"""What callers under measurement ask: the constant answer, or an action of their own, on and off.

Rule: an answer is judged by its bytes. A constant one must be the same to the last byte; a durable
one must carry the next sequence of the caller's action, so that an answer without a write shows.
"""

from typing import Final

from tests.bench.http2 import framed, header_block
from zitadel import management_pb2

SERVICE: Final = "/zitadel.management.v1.ManagementService"
CONSTANT_ID: Final = "123456789012345678"
CONSTANT_JSON: Final = (
    b'{"details":{"sequence":"3","creationDate":"2026-01-02T03:04:05.678901Z",'
    b'"changeDate":"2026-01-03T03:04:05.678901Z","resourceOwner":"223456789012345678"}}'
)
"""As the constant servicer's message reads in ProtoJSON; what the bare server answers."""


def constant_message() -> management_pb2.ReactivateActionResponse:
    """The constant servicer's answer."""
    message = management_pb2.ReactivateActionResponse()
    message.details.sequence = 3
    message.details.creation_date.FromJsonString("2026-01-02T03:04:05.678901Z")
    message.details.change_date.FromJsonString("2026-01-03T03:04:05.678901Z")
    message.details.resource_owner = "223456789012345678"
    return message


def http_request(path: str, *, token: str, body: bytes = b"{}") -> bytes:
    """A request to the JSON door, as a client would send it."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode("ascii") + body


class ConstantHttp:
    """Asks the same again and again."""

    def __init__(self, token: str) -> None:
        path = f"/management/v1/actions/{CONSTANT_ID}/_reactivate"
        self._request = http_request(path, token=token)

    def ask(self) -> bytes:
        return self._request

    def accepts(self, body: bytes) -> bool:
        return body == CONSTANT_JSON


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
