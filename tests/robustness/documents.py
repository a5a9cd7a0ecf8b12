"""JSON that is deep, or that parsers read differently: R12, R13 and R14.

All of it goes to the service of the tests, at a field or a message that would take it if it were
what it should be.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from google.protobuf.message import Message

from tests.proto.everything_pb2 import Everything, Part
from tests.robustness.fuzz import everything
from tests.robustness.raw import Answer, Client, request
from tests.robustness.scenario import Outcome, Scenario
from tests.support.grpc_frames import framed

AT_MOST_MS: Final = 50.0
LEVELS: Final = 2_000
_ANY: Final = b'{"@type":"type.googleapis.com/google.protobuf.Any","value":'
_THING: Final = b'{"@type":"type.googleapis.com/everything.v1.Everything","any":'

_INNER: Final = b'{"inner":' * LEVELS + b"{}" + b"}" * LEVELS

DEEP: Final = {
    "100,000 x [": ("/v1/write", b"[" * 100_000),
    '100,000 x {"a":': ("/v1/write", b'{"a":' * 100_000),
    "1,000,000 x [": ("/v1/write", b"[" * 1_000_000),
    "100,000 x [ for a Value": ("/v1/body/value", b"[" * 100_000),
    "500,000 x [ and as many ]": ("/v1/body/list", b"[" * 500_000 + b"]" * 500_000),
    "a message in itself": ("/v1/write", b'{"part":{"inner":' + _INNER + b"}}"),
    "101 lists in a Value": ("/v1/body/value", b"[" * 101 + b"]" * 101),
}

DISPUTED: Final = {
    "5,000 digits for an int": ("/v1/write", b'{"numbers":[' + b"1" * 5000 + b"]}"),
    "5,000 digits for a Value": ("/v1/body/value", b"1" * 5000),
    "a lone surrogate": ("/v1/body/text", b'"\\ud800"'),
    "a lone surrogate as a name": ("/v1/body/struct", b'{"\\udc00":1}'),
    "a surrogate in UTF-8": ("/v1/body/text", b'"\xed\xa0\x80"'),
    "NaN": ("/v1/body/value", b"NaN"),
    "-Infinity": ("/v1/body/value", b"-Infinity"),
    "NaN as text for an int": ("/v1/write", b'{"numbers":["NaN"]}'),
    "1e999": ("/v1/body/value", b"1e999"),
    "1e999 for a double": ("/v1/write", b'{"aDouble":1e999}'),
    "a name twice": ("/v1/body/struct", b'{"a":1,"a":2}'),
    "a name twice, once escaped": ("/v1/body/struct", b'{"a":1,"\\u0061":2}'),
    "a field under both names": ("/v1/write", b'{"aBool":true,"a_bool":true}'),
    "NUL": ("/v1/write", b'{"aBool":\0true}'),
    "NUL in a string": ("/v1/body/text", b'"\0"'),
    "nothing but NUL": ("/v1/write", b"\0"),
    "a byte order mark": ("/v1/write", b"\xef\xbb\xbf{}"),
    "UTF-16": ("/v1/write", "\ufeff{}".encode("utf-16-le")),
    "blanks": ("/v1/write", b" \r\n\t"),
    "null": ("/v1/write", b"null"),
    "[]": ("/v1/write", b"[]"),
    "a comma too many": ("/v1/write", b'{"aBool":true,}'),
    "two documents": ("/v1/write", b"{}{}"),
    "a comment": ("/v1/write", b"{}//"),
}

NESTED: Final = {
    "Any in Any": ("/v1/body/any", _ANY * LEVELS + b"{}" + b"}" * LEVELS),
    "a message in Any in it": ("/v1/body/any", _THING * LEVELS + b"{}" + b"}" * LEVELS),
    "Any in Any, 101 levels": ("/v1/body/any", _ANY * 101 + b"{}" + b"}" * 101),
}


def nested_binary() -> bytes:
    """A gRPC-Web request whose message holds a message, and so on, some thousand times."""
    message = b""
    for _ in range(LEVELS):
        message = _field(Part, "inner", message)
    message = _field(Everything, "part", message)
    frame = framed(message)
    headers = {"Content-Type": "application/grpc-web+proto", "Content-Length": str(len(frame))}
    return request("POST", "/everything.v1.Everythings/NoRule", frame, headers=headers)


def _field(owner: type[Message], name: str, message: bytes) -> bytes:
    number = owner.DESCRIPTOR.fields_by_name[name].number
    return _varint(number << 3 | 2) + _varint(len(message)) + message


def _varint(number: int) -> bytes:
    octets = b""
    while number > 0x7F:
        octets += bytes((number & 0x7F | 0x80,))
        number >>= 7
    return octets + bytes((number,))


def refused(client: Client, path: str, body: bytes) -> tuple[Answer | None, float]:
    """Returns the answer to a document, and its milliseconds."""
    started_at = time.monotonic()
    client.send(request("POST", path, body))
    answer = client.answer()
    return answer, (time.monotonic() - started_at) * 1e3


def _documents(folder: Path, documents: dict[str, tuple[str, bytes]]) -> Iterator[Outcome]:
    with everything(folder) as (address, _, log), Client(address) as client:
        refused(client, "/v1/write", b"{}")
        for what, (path, body) in documents.items():
            answer, waited_ms = refused(client, path, body)
            status = 0 if answer is None else answer.status
            is_ours = answer is not None and answer.json.keys() == {"code", "message"}
            yield Outcome(
                what,
                f"400 in ≤ {AT_MOST_MS:g} ms",
                f"{status} in {waited_ms:.1f} ms{'' if is_ours else ', not in our words'}",
                status == 400 and is_ours and waited_ms <= AT_MOST_MS,
            )
        has_traceback = "Traceback" in log.read_text(encoding="utf-8")
        yield Outcome("tracebacks", "none", "some" if has_traceback else "none", not has_traceback)


def deep(folder: Path) -> Iterator[Outcome]:
    yield from _documents(folder, DEEP)


def disputed(folder: Path) -> Iterator[Outcome]:
    yield from _documents(folder, DISPUTED)


def nested(folder: Path) -> Iterator[Outcome]:
    yield from _documents(folder, NESTED)
    with everything(folder) as (address, _, _), Client(address) as client:
        client.send(nested_binary())
        answer = client.answer()
        body = b"" if answer is None else answer.body
        yield Outcome(
            f"{LEVELS:,} messages in each other, binary, over gRPC-Web",
            "grpc-status 13",
            body[5:].split(b"\r\n")[0].decode("latin-1") or "no answer",
            body[5:].startswith(b"grpc-status:13\r\n"),
        )


R12: Final = Scenario("R12", "JSON that is deep", deep)
R13: Final = Scenario("R13", "JSON that parsers read differently", disputed)
R14: Final = Scenario("R14", "messages in messages", nested)
