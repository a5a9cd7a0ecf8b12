"""The header by which a write names the sequences that it accepts."""

from contextvars import copy_context

import pytest

from server.domain.conditions import Condition
from server.domain.refusals import Kind, Refusal
from server.rpc.call_info import CALL, CallInfo
from server.rpc.metadata import Metadata
from server.services.if_match import if_match
from tests.support.layered import Indexed
from tests.support.tables import cases


def read(metadata: Metadata) -> Condition:
    def call() -> Condition:
        CALL.set(CallInfo(metadata))
        return if_match()

    return copy_context().run(call)


def named(*values: str | bytes) -> tuple[tuple[str, str | bytes], ...]:
    return tuple(("if-match", value) for value in values)


@cases(
    "metadata, expected",
    {
        "nothing": ((), None),
        "another key": ((("if-none-match", '"5"'),), None),
        "any": (named("*"), None),
        "any, with blanks": (named(" * "), None),
        "one": (named('"5"'), {5}),
        "never set": (named('"0"'), {0}),
        "the largest": (named('"9223372036854775807"'), {2**63 - 1}),
        "a list": (named('"5", "6"'), {5, 6}),
        "a list without blanks, one twice": (named('"5","6","5"'), {5, 6}),
        "a list with empty elements": (named(', "5" ,, "6",'), {5, 6}),
        "several times": (named('"5"', '"6", "7"'), {5, 6, 7}),
        "over HTTP": (Indexed({"if-match": '"5"'}), {5}),
    },
)
def test_sequences_are_read(metadata: Metadata, expected: set[int] | None) -> None:
    assert read(metadata) == expected


@cases(
    "values, got",
    {
        "empty": ([""], "''"),
        "blanks": (["  "], "'  '"),
        "only commas": ([",,"], "',,'"),
        "no quotes": (["5"], "'5'"),
        "a weak tag": (['W/"5"'], "'W/\"5\"'"),
        "a tag that this service does not write": (['"v5"'], "'\"v5\"'"),
        "a leading zero": (['"05"'], "'\"05\"'"),
        "a sign": (['"-5"'], "'\"-5\"'"),
        "another form of a digit": (['"\u0665"'], "'\"\u0665\"'"),
        "no end": (['"5'], "'\"5'"),
        "an empty tag": (['""'], "'\"\"'"),
        "any among others": (['*, "5"'], "'*, \"5\"'"),
        "any twice": (["*", "*"], "'*,*'"),
        "one of two": (['"5", six'], "'\"5\", six'"),
        "single quotes": (["'5'"], "\"'5'\""),
        "twenty digits": (['"' + "9" * 20 + '"'], "'\"" + "9" * 20 + "\"'"),
        "too long to be shown": (["x" * 8000], repr("x" * 40)),
        "bytes": ([b"5"], "\"b'5'\""),
        "braces": (["{sequence}"], "'{sequence}'"),
    },
)
def test_anything_else_is_refused_by_name(values: list[str | bytes], got: str) -> None:
    with pytest.raises(Refusal) as caught:
        read(named(*values))
    expected = 'if-match: expected sequences in quotes, as "5", "6", or *, got '
    assert (caught.value.kind, caught.value.key) == (Kind.INVALID_ARGUMENT, expected + got)
