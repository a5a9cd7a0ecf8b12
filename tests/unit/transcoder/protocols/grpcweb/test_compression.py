import gzip
import tracemalloc
import zlib

import pytest
from grpc import StatusCode

from transcoder.errors import TranscodeError
from transcoder.protocols.grpcweb.compression import accepts_gzip, inflate_message, known_encoding

LIMIT_BYTES = 1000
# gzip of b"hello", as gzip(1) writes it with -n.
HELLO = bytes.fromhex("1f8b0800000000000003cb48cdc9c9070086a6103605000000")


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        pytest.param(HELLO, b"hello", id="by another gzip"),
        pytest.param(gzip.compress(b""), b"", id="of nothing"),
        pytest.param(gzip.compress(b"x" * 1000), b"x" * 1000, id="as long as the limit"),
    ],
)
def test_a_message_is_inflated(payload: bytes, expected: bytes) -> None:
    assert inflate_message(payload, max_bytes=LIMIT_BYTES) == expected


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        pytest.param(b"hello", "is not gzip", id="plain"),
        pytest.param(b"", "ends early", id="nothing"),
        pytest.param(zlib.compress(b"hello"), "is not gzip", id="zlib"),
        pytest.param(HELLO[:-1], "ends early", id="cut short"),
        pytest.param(HELLO[:9], "ends early", id="header cut short"),
        pytest.param(HELLO + b"x", "goes on after its end", id="garbage after it"),
        pytest.param(HELLO + HELLO, "goes on after its end", id="second member"),
        pytest.param(HELLO[:-8] + bytes(4) + HELLO[-4:], "is not gzip", id="bad checksum"),
    ],
)
def test_what_is_not_one_gzip_member_is_refused(payload: bytes, message: str) -> None:
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


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        pytest.param(None, False, id="nothing said"),
        pytest.param("", False, id="nothing"),
        pytest.param("identity", False, id="identity"),
        pytest.param("gzip", True, id="gzip"),
        pytest.param("identity, deflate, gzip", True, id="among others"),
        pytest.param("x-gzip,gzipped", False, id="names that hold it"),
    ],
)
def test_accept_encoding_names_gzip(accepted: str | None, expected: bool) -> None:
    assert accepts_gzip(accepted) is expected


@pytest.mark.parametrize(
    ("header", "encoding"),
    [
        pytest.param(None, "identity", id="no header"),
        pytest.param("", "identity", id="an empty one"),
        pytest.param("identity", "identity", id="identity"),
        pytest.param("gzip", "gzip", id="gzip"),
    ],
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
