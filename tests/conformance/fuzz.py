"""The codec against protobuf's json_format, both ways, on messages made at random.

Written: both write the same JSON, and ours reads it back as the message. Read: in that JSON one
value is replaced by another, and both must refuse it, or read the same. `EXPLANATIONS` has all on
which they may differ, and why; any other difference is a failure, shown with its message's number.
"""

import functools
import json
import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from google.protobuf import descriptor_pb2, json_format, message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from tests.conformance.messages import PLACE, Maker, with_place
from tests.support.schemas import add_schema, every_kind
from transcoder.codec.codec import Codec
from transcoder.errors import TranscodeError
from transcoder.options import JsonOptions

TYPES: Final = (
    "protobuf_test_messages.proto2.TestAllTypesProto2",
    "protobuf_test_messages.proto3.TestAllTypesProto3",
    "protobuf_test_messages.editions.TestAllTypesEdition2023",
    "test.Kinds",
)
PACKED: Final = (TYPES[1], "google.protobuf.Timestamp", "google.protobuf.Struct")
OPTIONS: Final[tuple[tuple[JsonOptions, dict[str, bool]], ...]] = (
    (JsonOptions(), {}),
    (JsonOptions(emit_defaults=True), {"always_print_fields_with_no_presence": True}),
    (JsonOptions(proto_names=True), {"preserving_proto_field_name": True}),
    (JsonOptions(enums_as_ints=True), {"use_integers_for_enums": True}),
)
OURS: Final = "only ours reads"
THEIRS: Final = "only json_format reads"
OTHER: Final = "read otherwise"
CHUNK: Final = 1000


class Tally(NamedTuple):
    """Counts of messages compared each way, and of explained and unexplained differences."""

    messages: int
    differences: Counter[tuple[str, str]]
    failures: list[str]


class Comparison:
    def __init__(self, descriptor_set: bytes) -> None:
        self._pool = DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(descriptor_set).file:
            self._pool.AddSerializedFile(file.SerializeToString())
        add_schema(self._pool, every_kind())
        self._codecs = [Codec(options, pool=self._pool, strict=True) for options, _ in OPTIONS]

    def chunk(self, first: int) -> Tally:
        differences: Counter[tuple[str, str]] = Counter()
        failures: list[str] = []
        packed = [self._type(name) for name in PACKED]
        for number in range(first, first + CHUNK):
            random = Random(number)  # noqa: S311  no secret
            message_type = self._type(TYPES[number % len(TYPES)])
            message = Maker(random, packed=packed).message(message_type)
            text = self._write(message, number, failures)
            document, value = with_place(json.loads(text), random)
            verdict = self._read(message_type, document.replace(PLACE, value))
            if verdict:
                marked = document.replace(PLACE, f"«{value}»")
                for explanation in EXPLANATIONS:
                    if explanation.verdict == verdict and explanation.pattern.search(marked):
                        differences[verdict, explanation.reason] += 1
                        break
                else:
                    failures.append(f"{number}: {verdict}: {marked[:1000]}")
        return Tally(CHUNK, differences, failures)

    def _type(self, name: str) -> type[Message]:
        return message_factory.GetMessageClass(self._pool.FindMessageTypeByName(name))

    def _write(self, message: Message, number: int, failures: list[str]) -> bytes:
        turn = number // len(TYPES) % len(OPTIONS)
        ours = self._codecs[turn].encode(message)
        theirs = json_format.MessageToDict(message, descriptor_pool=self._pool, **OPTIONS[turn][1])
        if json.loads(ours) != (
            with_nulls(theirs) if OPTIONS[turn][1].get("use_integers_for_enums") else theirs
        ):
            failures.append(f"{number}: written otherwise: {ours[:300]!r} {str(theirs)[:300]}")
        text = self._codecs[0].encode(message)
        again = self._codecs[0].decode(type(message), text)
        if _wire(again) != _wire(message):
            failures.append(f"{number}: read back otherwise: {text[:300]!r}")
        return text

    def _read(self, message_type: type[Message], text: str) -> str:
        try:
            ours = self._codecs[0].decode(message_type, text.encode())
        except TranscodeError:
            ours = None
        try:
            theirs = json_format.Parse(text, message_type(), descriptor_pool=self._pool)
        except (json_format.ParseError, ValueError, OverflowError, TypeError, AttributeError):
            theirs = None
        if ours is None:
            return "" if theirs is None else THEIRS
        if theirs is None:
            return OURS
        encode = self._codecs[0].encode
        return "" if _same(encode(ours), encode(theirs)) else OTHER


class Explanation(NamedTuple):
    """Why the two differ.

    Attributes:
        verdict: who reads what the other does not.
        pattern: where in the JSON the value stands, as «value».
        reason: whose it is.
    """

    verdict: str
    pattern: re.Pattern[str]
    reason: str


_ENUM: Final = (
    r"([eE]num|[cC]olor)\w*\W[^{}]*|([eE]num|[cC]olor)\w*\": \{[^{}]*|"
    r"[nN]ull[vV]alue\W*|mapNullvalue\": \{[^{}]*"
)
EXPLANATIONS: Final = tuple(
    Explanation(verdict, re.compile(pattern, re.DOTALL), reason)
    for verdict, pattern, reason in (
        (OURS, r"3\.4028235e\+38", "json_format refuses the greatest float as its own text"),
        (OURS, r"«\"(1e2|1\.0)\"»", "quoted integers: ours in any notation that JSON has"),
        (
            OURS,
            r"«(9223372036854775807\.0|1\.0|1e2|0\.1e1|100000000000000000000e-20)»",
            "integers as floats: json_format loses digits, or has none of them for enums",
        ),
        (
            OURS,
            r"(many|map)Nullvalue\": [\[{][^\]}]*\bnull\b",
            "json_format reads no null in a list or a map, where it is a NullValue",
        ),
        (
            THEIRS,
            r"«\"( 1|\+1|01|1_0)\"»",
            "quoted integers: json_format reads them as Python does",
        ),
        (THEIRS, r"«\"inf\"»", "json_format reads the words for infinity that Python knows"),
        (THEIRS, r"[bB]ytes[^«]*«\"", "json_format drops what is no base64"),
        (THEIRS, rf"({_ENUM})«", "json_format cuts, wraps or converts numbers of enums"),
        (
            THEIRS,
            r"«(\[\]|\"\"|true)»",
            "json_format takes what is empty for a message, true for 1",
        ),
        (THEIRS, r"«\"1\.s\"»", "json_format reads a duration with a point and no digits"),
        (THEIRS, r"[mM]ask[^«]*«\"", "json_format reads any path in a FieldMask"),
        (OTHER, r"«-0»", "json_format loses the sign of a zero"),
        (OTHER, r"«(9007199254740993|9223372036854775807)(\.0)?»", "json_format loses digits"),
    )
)
"""All that they differ on: json_format is wider than ProtoJSON, or not exact."""


def with_nulls(tree: Any) -> Any:
    """Returns what json_format wrote with integers for enums, with null for each NullValue.

    It writes 0 for one, which reads as a number. Fields of that type have its name in theirs.
    """
    if isinstance(tree, dict):
        return {
            name: _all_null(value) if "nullvalue" in name.lower() else with_nulls(value)
            for name, value in tree.items()
        }
    return [with_nulls(value) for value in tree] if isinstance(tree, list) else tree


def _all_null(value: Any) -> Any:
    if isinstance(value, dict):
        return dict.fromkeys(value)
    return [None] * len(value) if isinstance(value, list) else None


def with_named_nulls(tree: Any) -> Any:
    """Returns JSON as json_format reads it: it refuses null in a list or a map of NullValues."""
    if isinstance(tree, dict):
        return {
            name: _named(value) if "nullvalue" in name.lower() else with_named_nulls(value)
            for name, value in tree.items()
        }
    return [*map(with_named_nulls, tree)] if isinstance(tree, list) else tree


def _named(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: "NULL_VALUE" if item is None else item for key, item in value.items()}
    if isinstance(value, list):
        return ["NULL_VALUE" if item is None else item for item in value]
    return value


def _same(one: bytes, other: bytes) -> bool:
    """Equal but for the order of maps, the sign of zero included."""
    return len({json.dumps(json.loads(text), sort_keys=True) for text in (one, other)}) == 1


def _wire(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


@functools.cache
def _comparison(descriptor_set: Path) -> Comparison:
    return Comparison(descriptor_set.read_bytes())


def _chunk(descriptor_set: Path, first: int) -> Tally:
    return _comparison(descriptor_set).chunk(first)


def compare(descriptor_set: Path, count: int, report: Callable[[Tally], None]) -> Tally:
    """Compare so many messages, in two processes; `report` is called with the sum so far."""
    total = Tally(0, Counter(), [])
    with ProcessPoolExecutor(2) as pool:
        for part in pool.map(functools.partial(_chunk, descriptor_set), range(0, count, CHUNK)):
            total = Tally(
                total.messages + part.messages,
                total.differences + part.differences,
                total.failures + part.failures,
            )
            report(total)
    return total
