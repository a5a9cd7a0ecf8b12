import gzip
import tracemalloc

import brotli
import pytest
from grpc import StatusCode

from tests.support.tables import cases
from transcoder.errors import TranscodeError
from transcoder.http.encodings import zstd
from transcoder.protocols.envelopes.compression import (
    accepted_coding,
    inflate_message,
    is_inflated_at_once,
    known_encoding,
)
from transcoder.protocols.envelopes.dialect import Dialect

DIALECT = Dialect("Test", "test-encoding", "test-accept-encoding")
LIMIT_BYTES = 1000
# gzip of b"hello", as gzip(1) writes it with -n.
HELLO = bytes.fromhex("1f8b0800000000000003cb48cdc9c9070086a6103605000000")


def inflated(payload: bytes, encoding: str = "gzip", max_bytes: int = LIMIT_BYTES) -> bytes:
    return inflate_message(DIALECT, payload, encoding, max_bytes=max_bytes)


@cases(
    "payload, encoding, expected",
    {
        "by another gzip": (HELLO, "gzip", b"hello"),
        "of nothing": (gzip.compress(b""), "gzip", b""),
        "as long as the limit": (gzip.compress(b"x" * 1000), "gzip", b"x" * 1000),
        "br": (brotli.compress(b"hello"), "br", b"hello"),
        "zstd": (zstd.compress(b"hello"), "zstd", b"hello"),
    },
)
def test_a_message_is_inflated(payload: bytes, encoding: str, expected: bytes) -> None:
    assert inflated(payload, encoding) == expected


@cases(
    "payload, message",
    {
        "plain": (b"hello", "is not gzip"),
        "header cut short": (HELLO[:9], "ends early"),
        "garbage after it": (HELLO + b"x", "goes on after its end"),
    },
)
def test_an_incomplete_or_second_gzip_member_is_refused(payload: bytes, message: str) -> None:
    with pytest.raises(TranscodeError) as caught:
        inflated(payload)
    assert caught.value.code is StatusCode.INTERNAL
    assert caught.value.message == f"Test framing: a compressed message {message}"


def test_one_byte_over_the_limit_is_refused() -> None:
    with pytest.raises(TranscodeError) as caught:
        inflated(gzip.compress(b"x" * 1001))
    assert caught.value.code is StatusCode.RESOURCE_EXHAUSTED
    assert caught.value.message == "a message, inflated, is larger than the limit of 1000 bytes"


def test_a_bomb_never_exists_in_memory() -> None:
    bomb = gzip.compress(bytes(64 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(TranscodeError):
            inflated(bomb, max_bytes=1 << 20)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 4 << 20


@cases(
    "payload, encoding, expected",
    {
        "a little gzip": (bytes(1024), "gzip", True),
        "much gzip": (bytes(1025), "gzip", False),
        "a little br": (bytes(10), "br", False),
        "a little zstd": (bytes(10), "zstd", False),
    },
)
def test_only_a_little_gzip_is_inflated_at_once(
    payload: bytes, encoding: str, expected: bool
) -> None:
    assert is_inflated_at_once(payload, encoding) is expected


@cases(
    "accepted, expected",
    {
        "nothing said": (None, None),
        "nothing": ("", None),
        "identity": ("identity", None),
        "gzip": ("gzip", "gzip"),
        "among others": ("identity, deflate, gzip", "gzip"),
        "br and gzip": ("gzip,br", "br"),
        "all": ("gzip, br, zstd", "zstd"),
        "names that hold it": ("x-gzip,gzipped", None),
    },
)
def test_the_best_accepted_coding_is_taken(accepted: str | None, expected: str | None) -> None:
    assert accepted_coding(accepted) == expected


@cases(
    "header, encoding",
    {
        "no header": (None, "identity"),
        "an empty one": ("", "identity"),
        "identity": ("identity", "identity"),
        "gzip": ("gzip", "gzip"),
        "br": ("br", "br"),
        "zstd": ("zstd", "zstd"),
    },
)
def test_an_encoding_is_known(header: str | None, encoding: str) -> None:
    assert known_encoding(DIALECT, header) == encoding


@pytest.mark.parametrize("header", ["deflate", "GZIP", "gzip,identity"])
def test_a_client_learns_which_encodings_it_may_use(header: str) -> None:
    with pytest.raises(TranscodeError) as caught:
        known_encoding(DIALECT, header)
    assert (caught.value.code, caught.value.message, caught.value.headers) == (
        StatusCode.UNIMPLEMENTED,
        f"test-encoding: expected one of identity,zstd,br,gzip, got '{header}'",
        (("test-accept-encoding", "identity,zstd,br,gzip"),),
    )
