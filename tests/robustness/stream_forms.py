"""The forms in which streams are asked for, as octets; each call waits until its client leaves.

Knows how every protocol writes a request, and by what its answer says that the deadline has passed.
Follows docs/streams.md, docs/websocket.md, docs/connect.md and docs/grpc-web.md.
Rule: nothing of the transcoder is used to write a request.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.proto.echo_pb2 import CASE_WAIT, EchoRequest
from tests.support.grpc_frames import framed
from tests.support.grpcweb_fixture import COUNT, REPEAT, SAY, TALK
from tests.support.websocket_by_hand import KEY, text

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
EVENTS: Final = "text/event-stream"
CONNECT: Final = "application/connect+json"
GRPC_WEB: Final = "application/grpc-web+proto"
DOWNLOAD: Final = "/v1/downloads/65536?pieces=1000000"
UPLOAD: Final = "/v1/uploads"
_ASKED: Final = {"name": "n", "count": 1, "case": "CASE_WAIT"}
_MESSAGE: Final = json.dumps(_ASKED).encode()
_HALF: Final = _MESSAGE[:-9]
"""The beginning of a request that does not end."""
_BINARY: Final = EchoRequest(name="n", count=1, case=CASE_WAIT).SerializeToString()


@dataclass(frozen=True, slots=True)
class Form:
    """A call that has one response at most, and then waits.

    Attributes:
        body: all of it; of a stream of requests a message, and half of the next one.
        is_open: True if more of the body would follow.
        expired: octets of the answer to a call whose deadline has passed; None if that is cut.
        deadline: the header of the deadline, and its value for 100 ms.
    """

    path: str
    content_type: str = ""
    accept: str = ""
    body: bytes = b""
    is_open: bool = False
    expired: bytes | None = b"HTTP/1.1 504 "
    deadline: tuple[str, str] = ("Grpc-Timeout", "100m")
    headers: Mapping[str, str] = field(default_factory=dict)

    def request(self, *, has_deadline: bool = False) -> bytes:
        """Returns what a client sends before it waits."""
        verb = "POST" if self.body and "Upgrade" not in self.headers else "GET"
        said = {"Host": "x", **self.headers}
        if self.content_type:
            said["Content-Type"] = self.content_type
        if self.accept:
            said["Accept"] = self.accept
        if has_deadline:
            name, value = self.deadline
            said[name] = value
        body = self.body
        if self.is_open:
            said["Transfer-Encoding"] = "chunked"
            body = b"%x\r\n%b\r\n" % (len(body), body)
        elif verb == "POST":
            said["Content-Length"] = str(len(body))
        lines = "".join(f"{name}: {value}\r\n" for name, value in said.items())
        return f"{verb} {self.path} HTTP/1.1\r\n{lines}\r\n".encode() + body


def _websocket(path: str, *, then: bytes) -> Form:
    said = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": KEY,
    }
    return Form(path, body=text(_ASKED) + then, expired=b'{"status":{"code":4', headers=said)


def _connect(path: str, *, is_open: bool) -> Form:
    body = framed(_MESSAGE) + (framed(_MESSAGE)[:-9] if is_open else b"")
    deadline = ("Connect-Timeout-Ms", "100")
    return Form(path, CONNECT, "", body, is_open, b'"deadline_exceeded"', deadline)


_LINE_EXPIRED: Final = b'{"error":{"code":4'
_LINES: Final = _MESSAGE + b"\n" + _HALF
_ARRAY: Final = b"[" + _MESSAGE + b"," + _HALF
_FRAME: Final = framed(_BINARY)

UNARY: Final[Mapping[str, Form]] = {
    "unary as JSON": Form(SAY, JSON, body=_MESSAGE),
    "unary over gRPC-Web": Form(SAY, GRPC_WEB, body=_FRAME, expired=b"grpc-status: 4"),
    "unary over Connect": Form(
        SAY,
        JSON,
        body=_MESSAGE,
        expired=b'"deadline_exceeded"',
        deadline=("Connect-Timeout-Ms", "100"),
        headers={"Connect-Protocol-Version": "1"},
    ),
    "unary over WebSocket": _websocket(SAY, then=b""),
}
STREAMS: Final[Mapping[str, Form]] = {
    "responses as lines": Form(REPEAT, JSON, NDJSON, _MESSAGE, expired=_LINE_EXPIRED),
    "responses as an array": Form(REPEAT, JSON, JSON, _MESSAGE, expired=None),
    "responses as events": Form(REPEAT, JSON, EVENTS, _MESSAGE, expired=b"event: error\n"),
    "responses over WebSocket": _websocket(REPEAT, then=b""),
    "responses over Connect": _connect(REPEAT, is_open=False),
    "responses over gRPC-Web": Form(REPEAT, GRPC_WEB, body=_FRAME, expired=b"grpc-status:4"),
    "requests as lines": Form(COUNT, NDJSON, JSON, _LINES, is_open=True),
    "requests as an array": Form(COUNT, JSON, JSON, _ARRAY, is_open=True),
    "requests over WebSocket": _websocket(COUNT, then=text(_ASKED)[:-9]),
    "requests over Connect": _connect(COUNT, is_open=True),
    "both as lines": Form(TALK, NDJSON, NDJSON, _LINES, is_open=True, expired=_LINE_EXPIRED),
    "both as an array": Form(TALK, JSON, JSON, _ARRAY, is_open=True, expired=None),
    "both over WebSocket": _websocket(TALK, then=text(_ASKED)[:-9]),
    "both over Connect": _connect(TALK, is_open=True),
    "a download": Form(DOWNLOAD, expired=None),
    "an upload": Form(UPLOAD, "image/png", body=bytes(100_000), is_open=True),
}
"""Streams of every kind in every form."""
