"""Finds the part of a message that has no JSON form, after writing the message has failed.

Writers do not keep the path to the part that they write: it would slow them down. This file writes
the parts of the message one by one, and descends into the first part that fails.
Rule: it stops after `_STEPS_MAX` levels, since each step writes all levels below it.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import orjson
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from transcoder.codec import structs, wellknown
from transcoder.codec.decoder import descriptor_of
from transcoder.codec.encoder import EncoderCompiler
from transcoder.codec.message_types import map_entry
from transcoder.codec.scalars import Fault
from transcoder.errors import shown

WRITTEN_LEVELS_MAX: Final = 254
"""Max levels of JSON that orjson writes; an answer with more is 500."""

_STEPS_MAX: Final = 50
"""Max levels of a path that are looked for; a deeper fault is named at this level."""

_Part = tuple[str, Message]
"""A message within another, and the step that leads to it; empty where JSON has none."""


def fault_of(parts: Iterable[_Part], encoders: EncoderCompiler) -> Fault | None:
    """Returns the reason and the path of the first part that fails; None if no part fails."""
    problem = None
    path: list[str] = []
    for _ in range(_STEPS_MAX):
        failing = _first_failing(parts, encoders)
        if failing is None:
            break
        step, held, problem = failing
        path.append(step)
        parts = _parts(held, encoders)
    if problem is None:
        return None
    fault = Fault(problem)
    fault.path = [step for step in reversed(path) if step]
    return fault


def parts_of(field: FieldDescriptor, value: Any) -> Iterator[_Part]:  # noqa: ANN401  of any field
    """Yields the messages in a field's value, each with the step that leads to it."""
    name = f"[{field.full_name}]" if field.is_extension else field.json_name
    if field.message_type is None:
        return
    entry = map_entry(field)
    if entry is not None:
        if entry.fields_by_name["value"].message_type is not None:
            for key in value:
                yield (
                    f"{name}[{shown(key) if isinstance(key, str) else str(key).lower()}]",
                    value[key],
                )
    elif field.is_repeated:
        for index, item in enumerate(value):
            yield f"{name}[{index}]", item
    else:
        yield name, value


def _first_failing(
    parts: Iterable[_Part], encoders: EncoderCompiler
) -> tuple[str, Message, str] | None:
    for step, held in parts:
        problem = _problem(held, encoders.message(descriptor_of(type(held))))
        if problem is not None:
            return step, held, problem
    return None


def _problem(message: Message, write: Callable[[Message], object]) -> str | None:
    too_deep = f"nested in more than {WRITTEN_LEVELS_MAX} levels"
    try:
        written = write(message)
    except Fault as fault:
        return fault.problem
    except RecursionError:
        return too_deep
    try:
        orjson.dumps(written)
    except TypeError:  # too many levels; orjson writes all other results of encoders
        return too_deep
    return None


def _parts(message: Any, encoders: EncoderCompiler) -> Iterator[_Part]:  # noqa: ANN401  of any type
    """Yields the messages inside of a message that its JSON contains."""
    name = message.DESCRIPTOR.full_name
    if name == wellknown.ANY:
        try:
            held = encoders.resolve(message.type_url).message_type.FromString(message.value)
        except (Fault, DecodeError):
            return
        yield "", held
    elif name == structs.STRUCT:
        for key, value in message.fields.items():
            yield f"[{shown(key)}]", value
    elif name == structs.LIST_VALUE:
        for index, value in enumerate(message.values):
            yield f"[{index}]", value
    elif name == structs.VALUE:
        kind = message.WhichOneof("kind")
        if kind in ("struct_value", "list_value"):
            yield "", getattr(message, kind)
    elif name not in wellknown.SPECIAL:
        for field, value in type(message).ListFields(message):
            yield from parts_of(field, value)
