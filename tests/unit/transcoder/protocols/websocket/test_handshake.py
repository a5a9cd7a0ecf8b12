"""The handshake of WebSocket: which requests ask for one, and what they are answered."""

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from tests.support.tables import cases
from transcoder.errors import TranscodeError
from transcoder.protocols.websocket.handshake import (
    Subprotocol,
    answer_headers,
    is_handshake,
    subprotocol_of,
)

NONE = Subprotocol("", is_binary=False, has_metadata=False)


def headers(**given: str) -> CIMultiDictProxy[str]:
    said = {name.replace("_", "-"): value for name, value in given.items()}
    return CIMultiDictProxy(CIMultiDict(said))


@cases(
    "verb, upgrade, connection, expected",
    {
        "a handshake": ("GET", "websocket", "Upgrade", True),
        "in any case, among others": ("GET", "WebSocket", "keep-alive, upgrade", True),
        "another method": ("POST", "websocket", "Upgrade", False),
        "another protocol": ("GET", "h2c", "Upgrade", False),
        "from a proxy that always has the header": ("GET", "websocket", "close", False),
    },
)
def test_a_handshake_is_recognized(
    verb: str, upgrade: str, connection: str, expected: bool
) -> None:
    assert is_handshake(verb, headers(Upgrade=upgrade, Connection=connection)) is expected


@cases(
    "named, is_binary, has_metadata",
    {
        "plain": ("grpc-transcoder.v1", False, False),
        "protobuf": ("grpc-transcoder.v1+proto", True, False),
        "metadata": ("grpc-transcoder.v1+metadata", False, True),
        "both": ("grpc-transcoder.v1+proto+metadata", True, True),
    },
)
def test_a_subprotocol_says_what_messages_are(
    named: str, is_binary: bool, has_metadata: bool
) -> None:
    expected = Subprotocol(named, is_binary, has_metadata)
    assert subprotocol_of(headers(Sec_WebSocket_Protocol=f"chat, {named}")) == expected


def test_no_subprotocol_is_needed() -> None:
    assert subprotocol_of(headers()) == NONE


def test_a_handshake_is_answered_as_the_rfc_has_it() -> None:
    # RFC 6455 section 1.3.
    asked = headers(Sec_WebSocket_Version="13", Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==")
    assert answer_headers(asked, NONE) == [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    ]


@cases(
    "version, key, problem",
    {
        "an old version": (
            "8",
            "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: expected 13, got '8'",
        ),
        "no base64": ("13", "???", "Sec-WebSocket-Key: expected 16 bytes in base64"),
        "not ASCII": ("13", "größer", "Sec-WebSocket-Key: expected 16 bytes in base64"),
        "too short": ("13", "AAAA", "Sec-WebSocket-Key: expected 16 bytes in base64"),
    },
)
def test_a_malformed_handshake_is_refused(version: str, key: str, problem: str) -> None:
    asked = headers(Sec_WebSocket_Version=version, Sec_WebSocket_Key=key)
    with pytest.raises(TranscodeError) as raised:
        answer_headers(asked, NONE)
    assert (raised.value.message, raised.value.http_status) == (problem, 400)


def test_an_unknown_subprotocol_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(TranscodeError) as raised:
        subprotocol_of(headers(Sec_WebSocket_Protocol="graphql-ws"))
    assert raised.value.message == (
        "Sec-WebSocket-Protocol: expected one of grpc-transcoder.v1, grpc-transcoder.v1+metadata, "
        "grpc-transcoder.v1+proto, grpc-transcoder.v1+proto+metadata, got 'graphql-ws'"
    )
