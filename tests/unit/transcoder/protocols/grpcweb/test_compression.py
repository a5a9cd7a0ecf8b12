import gzip
import tracemalloc

import pytest
from grpc import StatusCode

from tests.support.tables import cases
from transcoder.errors import TranscodeError
from transcoder.protocols.grpcweb.compression import accepts_gzip, inflate_message, known_encoding

LIMIT_BYTES = 1000
# gzip of b"hello", as gzip(1) writes it with -n.
HELLO = bytes.fromhex("1f8b0800000000000003cb48cdc9c9070086a6103605000000")


@cases(
    "payload, expected",
    {
        "by another gzip": (HELLO, b"hello"),
        "of nothing": (gzip.compress(b""), b""),
        "as long as the limit": (gzip.compress(b"x" * 1000), b"x" * 1000),
    },
)
def test_a_message_is_inflated(payload: bytes, expected: bytes) -> None:
    assert inflate_message(payload, max_bytes=LIMIT_BYTES) == expected


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
        inflate_message(payload, max_bytes=LIMIT_BYTES)
    assert caught.value.code is StatusCode.INTERNAL
    assert caught.value.message == f"gRPC-Web framing: a compressed message {message}"


def test_one_byte_over_the_limit_is_refused() -> None:
    with pytest.raises(TranscodeError) as caught:
        inflate_message(gzip.compress(b"x" * 1001), max_bytes=LIMIT_BYTES)
    assert caught.value.code is StatusCode.RESOURCE_EXHAUSTED
    assert caught.value.message == "a message, inflated, is larger than the limit of 1000 bytes"


def test_a_bomb_never_exists_in_memory() -> None:
    bomb = gzip.compress(bytes(64 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(TranscodeError):
            inflate_message(bomb, max_bytes=1 << 20)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 4 << 20


@cases(
    "accepted, expected",
    {
        "nothing said": (None, False),
        "nothing": ("", False),
        "identity": ("identity", False),
        "gzip": ("gzip", True),
        "among others": ("identity, deflate, gzip", True),
        "names that hold it": ("x-gzip,gzipped", False),
    },
)
def test_accept_encoding_names_gzip(accepted: str | None, expected: bool) -> None:
    assert accepts_gzip(accepted) is expected


@cases(
    "header, encoding",
    {
        "no header": (None, "identity"),
        "an empty one": ("", "identity"),
        "identity": ("identity", "identity"),
        "gzip": ("gzip", "gzip"),
    },
)
def test_an_encoding_is_known(header: str | None, encoding: str) -> None:
    assert known_encoding(header) == encoding


@pytest.mark.parametrize("header", ["br", "GZIP", "gzip,identity"])
def test_a_client_learns_which_encodings_it_may_use(header: str) -> None:
    with pytest.raises(TranscodeError) as caught:
        known_encoding(header)
    assert (caught.value.code, caught.value.message, caught.value.headers) == (
        StatusCode.UNIMPLEMENTED,
        f"grpc-encoding: expected identity or gzip, got '{header}'",
        (("grpc-accept-encoding", "identity,gzip"),),
    )
