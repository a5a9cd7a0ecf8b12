"""Messages, and JSON that is nearly theirs, at random: what the codec and json_format differ on.

All that is random comes from one `random.Random`: a number is enough to have a message again.
"""

import json
import math
from collections.abc import Sequence
from random import Random
from typing import Any, Final

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from transcoder.codec.decoder import descriptor_of
from transcoder.codec.message_types import map_entry
from transcoder.codec.scalars import INTEGERS, NULL_VALUE

PLACE: Final = "PLACE-OF-ANOTHER-VALUE"
_ANY: Final = "google.protobuf.Any"
_EDGES: Final = [
    0,
    1,
    -1,
    2**31 - 1,
    -(2**31),
    2**32 - 1,
    2**53 + 1,
    2**63 - 1,
    -(2**63),
    2**64 - 1,
]
_DOUBLES: Final = [0.0, -0.0, 0.1, 1.5, 1e300, 5e-324, 2.0**53 + 2, math.inf, -math.inf, math.nan]
_FLOATS: Final = [0.0, -0.0, 0.5, 16777216.0, 2.0**-149, 3.4028234663852886e38, math.inf, math.nan]
_TEXTS: Final = ["", "a", "é中😀", '"\\\n\x00', "a:b", "-0", "x" * 200, "\u2028", "1", "NaN"]
_WORDS: Final = [
    *("0", "1", "-1", "01", "+1", " 1", "1_0", "1e2", "1.0", "1.5", "NaN", "-Infinity", "inf"),
    *("true", "YQ==", "YQ", "-_-_", "Y", "Y Q=", "fooBar,a.b", "foo_bar", "2024-02-29T03:04:05.5Z"),
    *("2023-02-29T03:04:05Z", "0001-01-01T00:00:00+00:01", "1.5s", "-0.000000001s", "1.s", ".5s"),
    *("315576000001s", "18446744073709551615", "18446744073709551616", "FOO", "GREEN", "nOnE", ""),
]
_NUMBERS: Final = [
    *("0", "-0", "1", "-1", "1.0", "1e2", "1.5", "-0.0", "2147483648", "9007199254740993"),
    *("9007199254740993.0", "18446744073709551615", "18446744073709551616", "1e-400", "1e39"),
    *("9223372036854775807.0", "-9223372036854775808", "0.1e1", "100000000000000000000e-20"),
]


class Maker:
    """Makes messages of one pool.

    Args:
        random: where all that is random comes from.
        packed: types that an Any may hold.
        texts: values of strings, and names in Structs; three or more.
    """

    def __init__(
        self, random: Random, *, packed: list[type[Message]], texts: Sequence[str] = _TEXTS
    ) -> None:
        self._random = random
        self._packed = packed
        self._texts = texts
        self._fields: dict[Descriptor, list[FieldDescriptor]] = {}

    def message(self, message_type: type[Message], depth: int = 3) -> Message:
        descriptor = descriptor_of(message_type)
        text = self._special(descriptor.full_name, depth)
        if text is not None:
            special: Message = json_format.Parse(text, message_type())
            return special
        message = message_type()
        if descriptor.full_name == _ANY:
            if depth and self._packed and self._random.random() < 0.8:
                held = self.message(self._random.choice(self._packed), depth - 1)
                url = f"type.googleapis.com/{held.DESCRIPTOR.full_name}"
                return message_type(type_url=url, value=held.SerializeToString(deterministic=True))
            return message
        fields = self._fields_of(descriptor)
        for field in self._random.sample(
            fields, min(len(fields), self._random.randint(0, 2 + depth))
        ):
            self.fill(message, field, depth)
        return message

    def _fields_of(self, descriptor: Descriptor) -> list[FieldDescriptor]:
        fields = self._fields.get(descriptor)
        if fields is None:
            fields = list(descriptor.fields)
            if descriptor.is_extendable:
                fields += descriptor.file.pool.FindAllExtensions(descriptor)
            fields = self._fields[descriptor] = [
                # Of a message set json_format knows no field.
                field
                for field in fields
                if field.message_type is None
                or not field.message_type.GetOptions().message_set_wire_format
            ]
        return fields

    def fill(self, message: Any, field: FieldDescriptor, depth: int) -> None:
        """Sets one field, in which messages nest `depth` times at most."""
        held = message.Extensions if field.is_extension else message
        entry = map_entry(field)
        count = self._random.choice((1, 1, 2, 10))
        if entry is not None:
            key, value = entry.fields_by_name["key"], entry.fields_by_name["value"]
            items = getattr(message, field.name)
            for _ in range(count):
                if value.message_type is None:
                    items[self._scalar(key)] = self._scalar(value)
                elif depth:
                    items[self._scalar(key)].CopyFrom(self._made(value, depth))
        elif field.message_type is not None:
            if not depth:
                return
            made = self._made(field, depth)
            if field.is_repeated:
                items = held[field] if field.is_extension else getattr(message, field.name)
                items.append(made)
            else:
                single = held[field] if field.is_extension else getattr(message, field.name)
                single.SetInParent()
                single.CopyFrom(made)
        elif field.is_repeated:
            items = held[field] if field.is_extension else getattr(message, field.name)
            items.extend([self._scalar(field) for _ in range(count)])
        elif field.is_extension:
            held[field] = self._scalar(field)
        else:
            setattr(message, field.name, self._scalar(field))

    def _made(self, field: FieldDescriptor, depth: int) -> Message:
        message_type = message_factory.GetMessageClass(field.message_type)  # type: ignore[arg-type]
        return self.message(message_type, depth - 1)

    def _scalar(self, field: FieldDescriptor) -> object:
        random = self._random
        if field.enum_type is not None:
            if field.enum_type.full_name == NULL_VALUE:
                return 0
            known = [value.number for value in field.enum_type.values]
            return random.choice(known if field.enum_type.is_closed else [*known, 99, -(2**31)])
        if field.type in INTEGERS:
            _, low, high = INTEGERS[field.type]
            edges = [edge for edge in _EDGES if low <= edge <= high]
            return random.choice(edges) if random.random() < 0.5 else random.randint(low, high)
        if field.type == FieldDescriptor.TYPE_DOUBLE:
            return random.choice(_DOUBLES) if random.random() < 0.5 else random.gauss(0, 1e6)
        if field.type == FieldDescriptor.TYPE_FLOAT:
            return random.choice(_FLOATS) if random.random() < 0.5 else random.gauss(0, 1e6)
        if field.type == FieldDescriptor.TYPE_BOOL:
            return random.random() < 0.5
        if field.type == FieldDescriptor.TYPE_BYTES:
            return random.randbytes(random.choice((0, 1, 2, 3, 40)))
        return random.choice(self._texts)

    def _special(self, name: str, depth: int) -> str | None:
        random = self._random
        match name.removeprefix("google.protobuf."):
            case "Timestamp":
                day = f"{random.choice((1, 1969, 1970, 2024, 9999)):04}-0{random.randint(1, 9)}-28"
                fraction = random.choice(("", ".5", ".123456", ".000000001"))
                return f'"{day}T{random.randint(0, 23):02}:59:0{random.randint(0, 9)}{fraction}Z"'
            case "Duration":
                seconds = random.choice((0, 1, -1, 3600, 315_575_999_999, -315_575_999_999))
                return f'"{seconds}{random.choice(("", ".5", ".000000001", ".123456"))}s"'
            case "FieldMask":
                return random.choice(('""', '"a"', '"fooBar"', '"a.bC,d2.eF"'))
            case "Struct":
                return json.dumps(
                    {text: self._json(depth) for text in random.sample(self._texts, 3)}
                )
            case "ListValue":
                return json.dumps([self._json(depth) for _ in range(random.randint(0, 3))])
            case "Value":
                return json.dumps(self._json(depth))
        return None

    def _json(self, depth: int) -> object:
        random = self._random
        scalars = [None, True, False, 0, -1, 1.5, 1e300, 0.1, *self._texts]
        if not depth or random.random() < 0.6:
            return random.choice(scalars)
        if random.random() < 0.5:
            return [self._json(depth - 1) for _ in range(random.randint(0, 3))]
        return {
            random.choice(self._texts): self._json(depth - 1) for _ in range(random.randint(0, 3))
        }


def with_place(tree: Any, random: Random) -> tuple[str, str]:
    """The document with PLACE where a value of it was, and a value at random for it."""
    value = random.choice(
        (*map(json.dumps, _WORDS), *_NUMBERS, "null", "true", "[]", "{}", "[null]")
    )
    places: list[tuple[Any, Any]] = []
    waiting = [tree]
    while waiting:
        held = waiting.pop()
        steps = held.items() if isinstance(held, dict) else enumerate(held)
        for step, child in steps:
            if step == "@type":
                continue
            places.append((held, step))
            if isinstance(child, dict | list):
                waiting.append(child)
    if not places:
        return PLACE, value
    held, step = random.choice(places)
    held[step] = PLACE
    return json.dumps(tree, ensure_ascii=False).replace(f'"{PLACE}"', PLACE), value
