"""Writes calls in every form in which streams are asked for, and tells how an answer ended.

Follows docs/streams.md, docs/websocket.md, docs/connect.md and docs/grpc-web.md.
Rule: nothing of the transcoder is used to write a request, or to read an answer.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from google.protobuf import json_format

from tests.proto.echo_pb2 import EchoRequest
from tests.support.grpc_frames import framed
from tests.support.grpcweb_fixture import COUNT, REPEAT, SAY, TALK
from tests.support.websocket_by_hand import KEY, text

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
EVENTS: Final = "text/event-stream"
CONNECT: Final = "application/connect+json"
GRPC_WEB: Final = "application/grpc-web+proto"
PIECE_BYTES: Final = 64 << 10
_UPGRADE: Final = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}
_CUT_BYTES: Final = 9
"""Bytes that a request lacks which has begun."""
_STATUSES: Final = {4: 504, 8: 429, 14: 503}
_NAMES: Final = {4: b"deadline_exceeded", 8: b"resource_exhausted", 14: b"unavailable"}
_BEFORE: Final = rb'HTTP/1\.1 %(http)d .*\r\n\r\n\{"code":%(code)d,'
"""A failure over JSON before the answer has begun."""
_FAILED: Final = {
    "json": _BEFORE,
    "lines": _BEFORE + rb'|\{"error":\{"code":%(code)d,',
    "events": _BEFORE + rb'|event: error\ndata: \{"code":%(code)d,',
    "cut": _BEFORE + rb"|(?<!\r\n0\r\n\r\n)\Z",
    "grpc-web": rb"(?i:grpc-status): ?%(code)d\r\n",
    "connect": rb'HTTP/1\.1 %(http)d .*\r\n\r\n\{"code":"%(name)b"',
    "connect streams": rb'\AHTTP/1\.1 200 .*\{"error":\{"code":"%(name)b"',
    "websocket": rb'\{"status":\{"code":%(code)d,',
}
"""Failures in the answers of a protocol; "cut" is JSON whose form has no words for them."""


@dataclass(frozen=True, slots=True)
class Form:
    """A call.

    Attributes:
        protocol: by which its failures are told.
        body: all of it; of a stream of requests a message, and perhaps half of the next one.
        is_open: True if more of the body would follow.
        ended: octets that an answer has which is whole.
    """

    path: str
    protocol: str
    content_type: str = ""
    accept: str = ""
    body: bytes = b""
    is_open: bool = False
    ended: bytes = b"HTTP/1.1 200 "
    headers: Mapping[str, str] = field(default_factory=dict)

    def request(self, *, timeout_ms: int | None = None, closes: bool = False) -> bytes:
        """Returns what a client sends.

        Args:
            timeout_ms: the deadline of the call; None for none.
            closes: True if the connection ends with the answer.
        """
        is_websocket = self.protocol == "websocket"
        verb = "POST" if self.body and not is_websocket else "GET"
        said = {"Host": "x", **self.headers}
        if self.content_type:
            said["Content-Type"] = self.content_type
        if self.accept:
            said["Accept"] = self.accept
        if timeout_ms is not None:
            said["Connect-Timeout-Ms"], said["Grpc-Timeout"] = f"{timeout_ms}", f"{timeout_ms}m"
            del said[
                "Grpc-Timeout" if self.protocol.startswith("connect") else "Connect-Timeout-Ms"
            ]
        if closes and not is_websocket:
            said["Connection"] = "close"
        body = self.body
        if self.is_open:
            said["Transfer-Encoding"] = "chunked"
            body = b"%x\r\n%b\r\n" % (len(body), body)
        elif verb == "POST":
            said["Content-Length"] = str(len(body))
        lines = "".join(f"{name}: {value}\r\n" for name, value in said.items())
        return f"{verb} {self.path} HTTP/1.1\r\n{lines}\r\n".encode() + body

    def has_failed(self, answer: bytes, code: int) -> bool:
        """True if the answer, read to its end, tells this status in the words of its protocol."""
        values = {b"code": code, b"http": _STATUSES[code], b"name": _NAMES[code]}
        return re.search(_FAILED[self.protocol] % values, answer, re.DOTALL) is not None


def handshake(path: str) -> bytes:
    """Returns the request of a WebSocket."""
    return Form(path, "websocket", headers=_UPGRADE).request()


def unary(asked: EchoRequest) -> dict[str, Form]:
    """Returns a call without streams, by each protocol."""
    message = _json(asked)
    connect = {"Connect-Protocol-Version": "1"}
    return {
        "unary as JSON": Form(SAY, "json", JSON, body=message),
        "unary over gRPC-Web": _grpc_web(SAY, asked),
        "unary over Connect": Form(SAY, "connect", JSON, body=message, headers=connect),
        "unary over WebSocket": _websocket(SAY, message, is_open=False),
    }


def streams(asked: EchoRequest, *, pieces: int, is_open: bool) -> dict[str, Form]:
    """Returns streams of every kind in every form.

    Args:
        asked: the request, of streams of requests the first one.
        pieces: how many a download has.
        is_open: True if a stream of requests has a second one, of which a part is missing.
    """
    message = _json(asked)
    lines, array = message + b"\n", b"[" + message + b"]"
    if is_open:
        lines, array = lines + message[:-_CUT_BYTES], array[:-1] + b"," + message[:-_CUT_BYTES]
    chunks = b"\r\n0\r\n\r\n"
    event = b"event: end\n"
    download, upload = f"/v1/downloads/{PIECE_BYTES}?pieces={pieces}", bytes(PIECE_BYTES + 1)
    return {
        "responses as lines": Form(REPEAT, "lines", JSON, NDJSON, message, ended=chunks),
        "responses as an array": Form(REPEAT, "cut", JSON, JSON, message, ended=chunks),
        "responses as events": Form(REPEAT, "events", JSON, EVENTS, message, ended=event),
        "responses over WebSocket": _websocket(REPEAT, message, is_open=False),
        "responses over Connect": _connect(REPEAT, message, is_open=False),
        "responses over gRPC-Web": _grpc_web(REPEAT, asked),
        "requests as lines": Form(COUNT, "json", NDJSON, JSON, lines, is_open),
        "requests as an array": Form(COUNT, "json", JSON, JSON, array, is_open),
        "requests over WebSocket": _websocket(COUNT, message, is_open=is_open),
        "requests over Connect": _connect(COUNT, message, is_open=is_open),
        "both as lines": Form(TALK, "lines", NDJSON, NDJSON, lines, is_open, chunks),
        "both as an array": Form(TALK, "cut", JSON, JSON, array, is_open, chunks),
        "both over WebSocket": _websocket(TALK, message, is_open=is_open),
        "both over Connect": _connect(TALK, message, is_open=is_open),
        "a download": Form(download, "cut", ended=chunks),
        "an upload": Form("/v1/uploads", "json", "image/png", "", upload, is_open),
    }


def _json(asked: EchoRequest) -> bytes:
    return json_format.MessageToJson(asked, indent=None).encode()


def _websocket(path: str, message: bytes, *, is_open: bool) -> Form:
    request = text(message.decode())
    body = request + (request[:-_CUT_BYTES] if is_open else text(""))
    return Form(path, "websocket", body=body, ended=b'{"status":{"code":0}', headers=_UPGRADE)


def _connect(path: str, message: bytes, *, is_open: bool) -> Form:
    body = framed(message) + (framed(message)[:-_CUT_BYTES] if is_open else b"")
    return Form(path, "connect streams", CONNECT, "", body, is_open, b"\x02\x00\x00\x00")


def _grpc_web(path: str, asked: EchoRequest) -> Form:
    body = framed(asked.SerializeToString())
    return Form(path, "grpc-web", GRPC_WEB, "", body, ended=b"grpc-status:0\r\n")
