import gzip
import tracemalloc
import zlib

import brotli
import pytest

from transcoder.errors import TranscodeError
from transcoder.http.encodings import (
    ACCEPT_ENCODING,
    TooMuchError,
    UnreadableError,
    codings_of,
    decode_body,
    deflate,
    inflate,
    preferred,
    zstd,
)

LIMIT_BYTES = 1000
BOMB_BYTES = 64 << 20
# "hello", as gzip(1) with -n, brotli(1) and zstd(1) with --no-check write it.
HELLO = {
    "gzip": bytes.fromhex("1f8b0800000000000003cb48cdc9c9070086a6103605000000"),
    "br": bytes.fromhex("0b028068656c6c6f03"),
    "zstd": bytes.fromhex("28b52ffd200529000068656c6c6f"),
}
WIDE = zstd.compress(
    bytes(9 << 20),
    options={
        zstd.CompressionParameter.window_log: 24,
        zstd.CompressionParameter.content_size_flag: 0,
    },
)


@pytest.mark.parametrize("coding", HELLO)
def test_what_other_programs_compress_is_inflated(coding: str) -> None:
    assert inflate(HELLO[coding], coding, max_bytes=5) == b"hello"


@pytest.mark.parametrize("coding", HELLO)
@pytest.mark.parametrize("data", [b"", b"x" * LIMIT_BYTES], ids=["nothing", "as long as the limit"])
def test_what_is_deflated_is_inflated_again(coding: str, data: bytes) -> None:
    assert inflate(deflate(data, coding), coding, max_bytes=LIMIT_BYTES) == data


@pytest.mark.parametrize(
    ("coding", "payload", "expected"),
    [
        pytest.param("gzip", b"hello", "is not gzip", id="gzip: plain"),
        pytest.param("gzip", zlib.compress(b"hello"), "is not gzip", id="gzip: zlib"),
        pytest.param("gzip", b"", "ends early", id="gzip: nothing"),
        pytest.param("gzip", HELLO["gzip"][:-1], "ends early", id="gzip: cut short"),
        pytest.param("gzip", HELLO["gzip"] + b"x", "goes on after its end", id="gzip: more"),
        pytest.param("gzip", HELLO["gzip"] * 2, "goes on after its end", id="gzip: second member"),
        pytest.param(
            "gzip",
            HELLO["gzip"][:-8] + bytes(4) + HELLO["gzip"][-4:],
            "is not gzip",
            id="gzip: bad checksum",
        ),
        pytest.param("br", b"\xff" * 9, "is not br", id="br: garbage"),
        pytest.param("br", b"", "ends early", id="br: nothing"),
        pytest.param("br", HELLO["br"][:-1], "ends early", id="br: cut short"),
        pytest.param("br", HELLO["br"] + b"x", "is not br", id="br: more"),
        pytest.param(
            "zstd", b"hello", "is not zstd with a window of 8 MiB at most", id="zstd: plain"
        ),
        pytest.param("zstd", b"", "ends early", id="zstd: nothing"),
        pytest.param("zstd", HELLO["zstd"][:-1], "ends early", id="zstd: cut short"),
        pytest.param("zstd", HELLO["zstd"] * 2, "goes on after its end", id="zstd: second frame"),
        pytest.param(
            "zstd", WIDE, "is not zstd with a window of 8 MiB at most", id="zstd: wide window"
        ),
    ],
)
def test_what_is_not_one_whole_stream_is_refused(
    coding: str, payload: bytes, expected: str
) -> None:
    with pytest.raises(UnreadableError) as caught:
        inflate(payload, coding, max_bytes=LIMIT_BYTES)
    assert str(caught.value) == expected


@pytest.mark.parametrize("coding", HELLO)
def test_one_byte_over_the_limit_is_too_much(coding: str) -> None:
    with pytest.raises(TooMuchError):
        inflate(deflate(b"x" * (LIMIT_BYTES + 1), coding), coding, max_bytes=LIMIT_BYTES)


@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param(("gzip", gzip.compress(bytes(BOMB_BYTES))), id="gzip"),
        pytest.param(("br", brotli.compress(bytes(BOMB_BYTES), quality=1)), id="br"),
        pytest.param(("zstd", zstd.compress(bytes(BOMB_BYTES))), id="zstd"),
    ],
)
def test_a_bomb_never_exists_in_memory(bomb: tuple[str, bytes]) -> None:
    coding, payload = bomb
    tracemalloc.start()
    try:
        with pytest.raises(TooMuchError):
            inflate(payload, coding, max_bytes=1 << 20)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 6 << 20


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param([], [], id="none"),
        pytest.param([""], [], id="empty"),
        pytest.param(["identity"], [], id="identity"),
        pytest.param(["gzip"], ["gzip"], id="one"),
        pytest.param([" ZStd "], ["zstd"], id="any case"),
        pytest.param(["x-gzip"], ["gzip"], id="old name"),
        pytest.param(["gzip, br"], ["gzip", "br"], id="two, in order"),
        pytest.param(["gzip", "br"], ["gzip", "br"], id="two headers"),
        pytest.param(["identity,, br,"], ["br"], id="nothing among them"),
    ],
)
def test_the_codings_of_a_body_are_those_that_its_headers_name(
    headers: list[str], expected: list[str]
) -> None:
    assert codings_of(headers) == expected


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("deflate", id="deflate, which nobody writes alike"),
        pytest.param("gzip, aes128gcm", id="one of them unknown"),
        pytest.param("gzip, gzip, gzip", id="too many"),
        pytest.param("gzip;q=1", id="with a weight"),
        pytest.param("identity," * 40 + "gzip", id="an endless list"),
    ],
)
def test_an_unknown_coding_is_refused_with_the_supported_ones(header: str) -> None:
    with pytest.raises(TranscodeError) as caught:
        codings_of([header])
    assert caught.value.http_status == 415
    assert caught.value.headers == (("Accept-Encoding", "zstd, br, gzip"),)
    assert caught.value.message.endswith(": expected at most 2 of zstd, br, gzip")


def test_codings_are_undone_from_the_last_to_the_first() -> None:
    body = deflate(deflate(b"hello", "gzip"), "br")
    assert decode_body(body, ["gzip", "br"], max_bytes=LIMIT_BYTES) == b"hello"


@pytest.mark.parametrize(
    ("body", "codings", "status", "message"),
    [
        pytest.param(
            b"hello", ["gzip"], 400, "request body, sent as gzip, is not gzip", id="garbage"
        ),
        pytest.param(
            HELLO["br"][:-1], ["br"], 400, "request body, sent as br, ends early", id="cut short"
        ),
        pytest.param(
            deflate(b"x" * 2000, "zstd"),
            ["zstd"],
            413,
            "the request body, inflated, is larger than the limit of 1000 bytes",
            id="too large",
        ),
        pytest.param(
            deflate(deflate(b"x" * 2000, "zstd")),
            ["zstd", "gzip"],
            413,
            "the request body, inflated, is larger than the limit of 1000 bytes",
            id="too large at last",
        ),
        pytest.param(
            deflate(gzip.compress(bytes(5 << 20), 1)),
            ["gzip", "gzip"],
            413,
            "the request body, inflated, is larger than the limit of 1000 bytes",
            id="too large in between",
        ),
    ],
)
def test_a_body_that_is_not_what_its_header_says_is_refused(
    body: bytes, codings: list[str], status: int, message: str
) -> None:
    with pytest.raises(TranscodeError) as caught:
        decode_body(body, codings, max_bytes=LIMIT_BYTES)
    assert (caught.value.http_status, caught.value.message) == (status, message)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param("", "identity", id="nothing"),
        pytest.param("identity", "identity", id="identity"),
        pytest.param("gzip", "gzip", id="gzip"),
        pytest.param("GZip", "gzip", id="any case"),
        pytest.param("x-gzip", "gzip", id="old name"),
        pytest.param("br", "br", id="br"),
        pytest.param("gzip, deflate, br, zstd", "zstd", id="browsers: the best of equals"),
        pytest.param("gzip, deflate, br", "br", id="the next best"),
        pytest.param("deflate, compress", "identity", id="none of ours"),
        pytest.param("gzip;q=0.9, br;q=0.8, zstd;q=0.1", "gzip", id="the client's favourite"),
        pytest.param("gzip ; Q=0.500,br;q=0.5", "br", id="equal weights"),
        pytest.param("gzip;q=0", "identity", id="refused"),
        pytest.param("gzip;q=0.000, br;q=0", "identity", id="all refused"),
        pytest.param("*", "zstd", id="anything"),
        pytest.param("*;q=0", "identity", id="nothing at all"),
        pytest.param("zstd;q=0, *", "br", id="anything else"),
        pytest.param("gzip, *;q=0", "gzip", id="nothing else"),
        pytest.param("gzip;q=0.5, *;q=0.8", "zstd", id="others rather"),
        pytest.param("identity;q=0", "identity", id="not identity, and nothing else"),
        pytest.param("identity;q=0, gzip;q=0.1", "gzip", id="not identity"),
        pytest.param("identity;q=1, gzip;q=0.5", "identity", id="identity rather"),
        pytest.param("identity, gzip", "gzip", id="identity as well"),
        pytest.param("gzip;q=2, br;q=x, zstd;level=1", "identity", id="weights that are none"),
        pytest.param("gzip;q=2, br", "br", id="one of them wrong"),
        pytest.param("gzip;q=0, gzip", "identity", id="twice: the first counts"),
        pytest.param("gz ip, ;q=1, \u00e9", "identity", id="no codings"),
        pytest.param("a," * 4000 + "gzip", "identity", id="an endless list"),
    ],
)
def test_an_answer_gets_the_coding_that_its_client_prefers(header: str, expected: str) -> None:
    assert preferred([header]) == expected


def test_accept_encoding_may_come_twice() -> None:
    assert preferred(["gzip;q=0.5", "br;q=0.1"]) == "gzip"


def test_accepted_codings_are_listed() -> None:
    assert ACCEPT_ENCODING == "zstd, br, gzip"
