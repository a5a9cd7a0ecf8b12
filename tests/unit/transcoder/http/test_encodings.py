import gzip
import tracemalloc
import zlib

import brotli
import pytest

from tests.support.raised import malformed
from tests.support.tables import cases
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
TOO_LARGE = "the request body, inflated, is larger than the limit of 1000 bytes"
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
def test_data_of_other_programs_are_inflated(coding: str) -> None:
    assert inflate(HELLO[coding], coding, max_bytes=5) == b"hello"


@pytest.mark.parametrize("coding", HELLO)
@pytest.mark.parametrize("data", [b"", b"x" * LIMIT_BYTES], ids=["nothing", "as long as the limit"])
def test_compressed_data_inflate_to_the_same(coding: str, data: bytes) -> None:
    assert inflate(deflate(data, coding), coding, max_bytes=LIMIT_BYTES) == data


@cases(
    "coding, payload, expected",
    {
        "gzip: plain": ("gzip", b"hello", "is not gzip"),
        "gzip: zlib": ("gzip", zlib.compress(b"hello"), "is not gzip"),
        "gzip: nothing": ("gzip", b"", "ends early"),
        "gzip: cut short": ("gzip", HELLO["gzip"][:-1], "ends early"),
        "gzip: more": ("gzip", HELLO["gzip"] + b"x", "goes on after its end"),
        "gzip: second member": ("gzip", HELLO["gzip"] * 2, "goes on after its end"),
        "gzip: bad checksum": (
            "gzip",
            HELLO["gzip"][:-8] + bytes(4) + HELLO["gzip"][-4:],
            "is not gzip",
        ),
        "br: garbage": ("br", b"\xff" * 9, "is not br"),
        "br: nothing": ("br", b"", "ends early"),
        "br: cut short": ("br", HELLO["br"][:-1], "ends early"),
        "br: more": ("br", HELLO["br"] + b"x", "is not br"),
        "zstd: plain": ("zstd", b"hello", "is not zstd with a window of 8 MiB at most"),
        "zstd: nothing": ("zstd", b"", "ends early"),
        "zstd: cut short": ("zstd", HELLO["zstd"][:-1], "ends early"),
        "zstd: second frame": ("zstd", HELLO["zstd"] * 2, "goes on after its end"),
        "zstd: wide window": ("zstd", WIDE, "is not zstd with a window of 8 MiB at most"),
    },
)
def test_an_incomplete_or_second_stream_is_refused(
    coding: str, payload: bytes, expected: str
) -> None:
    with pytest.raises(UnreadableError) as caught:
        inflate(payload, coding, max_bytes=LIMIT_BYTES)
    assert str(caught.value) == expected


@pytest.mark.parametrize("coding", HELLO)
def test_one_byte_over_the_limit_is_too_much(coding: str) -> None:
    with pytest.raises(TooMuchError):
        inflate(deflate(b"x" * (LIMIT_BYTES + 1), coding), coding, max_bytes=LIMIT_BYTES)


@cases(
    "bomb",
    {
        "gzip": ("gzip", gzip.compress(bytes(BOMB_BYTES))),
        "br": ("br", brotli.compress(bytes(BOMB_BYTES), quality=1)),
        "zstd": ("zstd", zstd.compress(bytes(BOMB_BYTES))),
    },
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


@cases(
    "headers, expected",
    {
        "none": ([], []),
        "empty": ([""], []),
        "identity": (["identity"], []),
        "one": (["gzip"], ["gzip"]),
        "any case": ([" ZStd "], ["zstd"]),
        "old name": (["x-gzip"], ["gzip"]),
        "two, in order": (["gzip, br"], ["gzip", "br"]),
        "two headers": (["gzip", "br"], ["gzip", "br"]),
        "nothing among them": (["identity,, br,"], ["br"]),
    },
)
def test_the_codings_of_a_body_are_those_that_its_headers_name(
    headers: list[str], expected: list[str]
) -> None:
    assert codings_of(headers) == expected


@cases(
    "header",
    {
        "deflate, which nobody writes alike": "deflate",
        "one of them unknown": "gzip, aes128gcm",
        "too many": "gzip, gzip, gzip",
        "with a weight": "gzip;q=1",
        "an endless list": "identity," * 40 + "gzip",
    },
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


@cases(
    "body, codings, status, message",
    {
        "garbage": (b"hello", ["gzip"], 400, "request body, sent as gzip, is not gzip"),
        "cut short": (HELLO["br"][:-1], ["br"], 400, "request body, sent as br, ends early"),
        "too large": (deflate(b"x" * 2000, "zstd"), ["zstd"], 413, TOO_LARGE),
        "too large at last": (
            deflate(deflate(b"x" * 2000, "zstd")),
            ["zstd", "gzip"],
            413,
            TOO_LARGE,
        ),
        "too large in between": (
            deflate(gzip.compress(bytes(5 << 20), 1)),
            ["gzip", "gzip"],
            413,
            TOO_LARGE,
        ),
    },
)
def test_a_body_that_is_not_what_its_header_says_is_refused(
    body: bytes, codings: list[str], status: int, message: str
) -> None:
    with malformed(message, status=status):
        decode_body(body, codings, max_bytes=LIMIT_BYTES)


@cases(
    "header, expected",
    {
        "nothing": ("", "identity"),
        "identity": ("identity", "identity"),
        "gzip": ("gzip", "gzip"),
        "any case": ("GZip", "gzip"),
        "old name": ("x-gzip", "gzip"),
        "br": ("br", "br"),
        "browsers: the best of equals": ("gzip, deflate, br, zstd", "zstd"),
        "the next best": ("gzip, deflate, br", "br"),
        "none of ours": ("deflate, compress", "identity"),
        "the client's favourite": ("gzip;q=0.9, br;q=0.8, zstd;q=0.1", "gzip"),
        "equal weights": ("gzip ; Q=0.500,br;q=0.5", "br"),
        "refused": ("gzip;q=0", "identity"),
        "all refused": ("gzip;q=0.000, br;q=0", "identity"),
        "anything": ("*", "zstd"),
        "nothing at all": ("*;q=0", "identity"),
        "anything else": ("zstd;q=0, *", "br"),
        "nothing else": ("gzip, *;q=0", "gzip"),
        "others rather": ("gzip;q=0.5, *;q=0.8", "zstd"),
        "not identity, and nothing else": ("identity;q=0", "identity"),
        "not identity": ("identity;q=0, gzip;q=0.1", "gzip"),
        "identity rather": ("identity;q=1, gzip;q=0.5", "identity"),
        "identity as well": ("identity, gzip", "gzip"),
        "weights that are none": ("gzip;q=2, br;q=x, zstd;level=1", "identity"),
        "one of them wrong": ("gzip;q=2, br", "br"),
        "twice: the first counts": ("gzip;q=0, gzip", "identity"),
        "no codings": ("gz ip, ;q=1, \u00e9", "identity"),
        "an endless list": ("a," * 4000 + "gzip", "identity"),
    },
)
def test_an_answer_gets_the_coding_that_its_client_prefers(header: str, expected: str) -> None:
    assert preferred([header]) == expected


def test_accept_encoding_may_come_twice() -> None:
    assert preferred(["gzip;q=0.5", "br;q=0.1"]) == "gzip"


def test_accepted_codings_are_listed() -> None:
    assert ACCEPT_ENCODING == "zstd, br, gzip"
