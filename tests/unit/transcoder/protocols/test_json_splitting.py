"""Bodies of streams, divided into the texts of messages: whole, in pieces, and broken."""

import random
import time
from typing import Final

import orjson
import pytest

from tests.support.tables import cases
from transcoder.errors import TranscodeError
from transcoder.protocols.json_splitting import Elements, Lines

MAX: Final = 100
Splitting = type[Lines] | type[Elements]


def texts(splitting: Splitting, body: bytes, size: int, *, max_bytes: int = MAX) -> list[bytes]:
    """Returns the texts of a body that comes in pieces of a size; bytes held are counted."""
    splitter = splitting(max_bytes=max_bytes)
    found: list[bytes] = []

    def take() -> None:
        while (text := splitter.next()) is not None:
            found.append(text)
        assert splitter.held_bytes <= max_bytes + size

    for at in range(0, len(body), size):
        splitter.feed(body[at : at + size])
        take()
    splitter.finish()
    take()
    return found


@cases(
    "splitting, body, expected",
    {
        "no line": (Lines, b"", []),
        "one line": (Lines, b'{"a":1}\n', [b'{"a":1}']),
        "no last line break": (Lines, b"1\n2", [b"1", b"2"]),
        "blank lines": (Lines, b"\n\r\n1\n \t\n\n2\n\n", [b"1", b"2"]),
        "line breaks of Windows": (Lines, b"1\r\n2\r\n", [b"1\r", b"2\r"]),
        "line breaks that are escaped": (Lines, b'"a\\nb"\n', [b'"a\\nb"']),
        "no element": (Elements, b" [ ] ", []),
        "nothing": (Elements, b" ", []),
        "one element": (Elements, b'[{"a":1}]', [b'{"a":1}']),
        "scalars": (Elements, b'[1,"a",true,null]', [b"1", b'"a"', b"true", b"null"]),
        "space around": (Elements, b'\n[\t{"a":1} ,\r\n 2 ]\n', [b'{"a":1} ', b"2 "]),
        "brackets within": (Elements, b'[{"a":[{}]},[[1,2],3]]', [b'{"a":[{}]}', b"[[1,2],3]"]),
        "marks within strings": (Elements, b'["a,]}[{","]"]', [b'"a,]}[{"', b'"]"']),
        "escapes": (Elements, rb'[{"a\"b":"\\"},"\\\"]"]', [rb'{"a\"b":"\\"}', rb'"\\\"]"']),
        "no JSON": (Elements, b"[a b,{]]", [b"a b", b"{]"]),
    },
)
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_a_body_has_the_same_messages_however_it_is_cut(
    splitting: Splitting, body: bytes, expected: list[bytes], size: int
) -> None:
    assert texts(splitting, body, size) == expected


@cases(
    "body, expected, got",
    {
        "an object": (b'{"a":1}', "an array of messages", "'{\"a\":1}'"),
        "a byte order mark": (b"\xef\xbb\xbf[]", "an array of messages", "'\\ufeff[]'"),
        "no element before a comma": (b"[,1]", "a message", "',1]'"),
        "no element behind a comma": (b"[1,]", "a message", "']'"),
        "more behind the array": (b"[1] 2", "nothing behind the array", "'2'"),
        "more behind an empty array": (b"[] x", "nothing behind the array", "'x'"),
        "a wrong bracket": (b"[1}", "',' or ']' behind a message", "'}'"),
        "only a bracket": (b"[", "the rest of the array", "the end of the body"),
        "no last bracket": (b"[1,2", "the rest of the array", "the end of the body"),
        "an open string": (b'["a', "the rest of the array", "the end of the body"),
        "an open escape": (b'["\\', "the rest of the array", "the end of the body"),
    },
)
@pytest.mark.parametrize("size", [1000, 1])
def test_an_array_that_is_none_is_refused(body: bytes, expected: str, got: str, size: int) -> None:
    with pytest.raises(TranscodeError) as refused:
        texts(Elements, body, size)
    said, _, shown = refused.value.message.partition(", got ")
    assert said == f"body: expected {expected}"
    assert shown == got or size == 1  # of a body in pieces, what has come


@pytest.mark.parametrize("size", [1, 7, 1000])
@cases(
    "splitting, fitting, larger",
    {
        "line": (Lines, b'"%b"\n' % (b"a" * 98), b'"%b"\n' % (b"a" * 99)),
        "last line": (Lines, b'"%b"' % (b"a" * 98), b'"%b"' % (b"a" * 99)),
        "element": (Elements, b'["%b"]' % (b"a" * 98), b'["%b"]' % (b"a" * 99)),
        "brackets": (Elements, b"[%b]" % (b"[" * 50 + b"]" * 50), b"[" * 102),
    },
)
def test_a_message_beyond_the_limit_is_refused(
    splitting: Splitting, fitting: bytes, larger: bytes, size: int
) -> None:
    assert len(texts(splitting, fitting, size)) == 1
    with pytest.raises(TranscodeError) as refused:
        texts(splitting, larger, size)
    expected = "a message of the request body is larger than the limit of 100 bytes"
    assert (refused.value.message, refused.value.http_status) == (expected, 413)


def made(rng: random.Random, depth: int) -> object:
    kind = rng.randrange(6 if depth else 4)
    if kind == 4:
        return [made(rng, depth - 1) for _ in range(rng.randrange(4))]
    if kind == 5:
        return {made_text(rng): made(rng, depth - 1) for _ in range(rng.randrange(4))}
    return [rng.randrange(-9, 99), rng.random(), None, made_text(rng)][kind]


def made_text(rng: random.Random) -> str:
    return "".join(rng.choice('a",[]{}\\:\n ß\x01') for _ in range(rng.randrange(6)))


@pytest.mark.parametrize("splitting", [Lines, Elements])
def test_what_is_written_as_a_stream_is_read_as_the_same_values(splitting: Splitting) -> None:
    rng = random.Random(7)  # noqa: S311
    for _ in range(200):
        values = [made(rng, 4) for _ in range(rng.randrange(5))]
        body = orjson.dumps(values, option=rng.choice([None, orjson.OPT_INDENT_2]))
        if splitting is Lines:
            body = b"\n".join(map(orjson.dumps, values))
        found = texts(splitting, body, rng.choice([1, 3, 50, 5000]), max_bytes=10_000)
        assert [orjson.loads(text) for text in found] == values


@cases(
    "splitting, body",
    {
        "a string": (Elements, b'["' + b"a" * (1 << 19)),
        "escapes": (Elements, b'["' + b"\\\\" * (1 << 18)),
        "brackets": (Elements, b"[" * (1 << 19)),
        "space": (Elements, b" " * (1 << 19)),
        "a line": (Lines, b"a" * (1 << 19)),
        "blank lines": (Lines, b"\n" * (1 << 19)),
    },
)
def test_a_body_that_drips_costs_no_more_than_twice_as_much_for_twice_the_bytes(
    splitting: Splitting, body: bytes
) -> None:
    def cost(part: bytes) -> float:
        splitter = splitting(max_bytes=1 << 20)
        began = time.process_time()
        for at in range(0, len(part), 64):
            splitter.feed(part[at : at + 64])
            assert splitter.next() is None
        return time.process_time() - began

    costs = sorted((cost(body) / max(cost(body[: len(body) // 8]), 1e-4)) for _ in range(3))
    assert costs[0] < 8 * 4  # of work that looks at all again with each piece it is 64
