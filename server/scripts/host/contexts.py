"""Reads the context of a trigger and packs it for worker processes.

Rule 1: a missing value gets its default; unknown keys are ignored.
Rule 2: a value of the wrong type is an error that names its path.
Rule 3: never changes the given context.
"""

import contextlib
from typing import Final

import msgspec
import orjson

from server.scripts.contract import BadContext, JsonValue, PackedContext, UnknownTrigger
from server.scripts.host.context_examples import EXAMPLES
from server.scripts.host.context_forms import exact
from server.scripts.host.context_schema import CONTEXTS, MetadataEntry, MetadataList, Part
from server.triggers import Trigger

CONTEXT_MAX_BYTES: Final = 1 << 20
"""Max bytes of a context as JSON; larger is refused."""


def read_context(flow_type: int, trigger_type: int, context: JsonValue) -> Part:
    """Returns a context of the trigger, checked and complete.

    Raises:
        UnknownTrigger: the flow has no such trigger.
        BadContext: a value does not match the schema.
    """
    part = CONTEXTS[trigger(flow_type, trigger_type)]
    with contextlib.suppress(msgspec.ValidationError):  # invalid, or valid in another form
        return msgspec.convert(context, part)
    return msgspec.convert(exact(context, part), part)


def pack(flow_type: int, trigger_type: int, context: JsonValue) -> PackedContext:
    """Returns a context of the trigger, checked, complete and packed.

    Raises:
        UnknownTrigger: the flow has no such trigger.
        BadContext: a value does not match the schema, or the context is larger than
            `CONTEXT_MAX_BYTES` as JSON.
    """
    number = trigger(flow_type, trigger_type)
    size = _json_size(context)
    if size > CONTEXT_MAX_BYTES:
        raise BadContext(f"context: expected at most {CONTEXT_MAX_BYTES} bytes, got {size}")
    complete = read_context(*number, context)
    parts = {
        key: encode_for_script(getattr(complete, name))
        for key, name in zip(
            complete.__struct_encode_fields__, complete.__struct_fields__, strict=True
        )
    }
    return PackedContext(parts, sum(map(len, parts.values())))


def trigger(flow_type: int, trigger_type: int) -> Trigger:
    """Returns the trigger of both numbers.

    Raises:
        UnknownTrigger: the flow has no such trigger.
    """
    if (flow_type, trigger_type) not in CONTEXTS:
        raise UnknownTrigger(f"flow {flow_type} has no trigger {trigger_type}")
    return flow_type, trigger_type


def example(flow_type: int, trigger_type: int) -> dict[str, JsonValue]:
    """Returns a complete context of the trigger."""
    found: dict[str, JsonValue] = msgspec.to_builtins(EXAMPLES[trigger(flow_type, trigger_type)])
    return found


def metadata_json(value: JsonValue) -> bytes:
    """Returns a list of metadata, checked and complete, as JSON.

    Raises:
        BadContext: a value does not match the schema.
    """
    with contextlib.suppress(msgspec.ValidationError):  # invalid, or valid in another form
        return msgspec.json.encode(msgspec.convert(value, MetadataList))
    return msgspec.json.encode(msgspec.convert(exact(value, MetadataList), MetadataList))


def encode_for_script(value: object) -> bytes:
    """Returns a part of a context for scripts: a JSON string that has its JSON."""
    # Not by msgspec, which writes floats in another form: `ctx.claimsJSON()` returns this text.
    return quote_json(orjson.dumps(value, default=msgspec.to_builtins))


def quote_json(json: bytes) -> bytes:
    """Returns a JSON string that has the JSON."""
    return orjson.dumps(json.decode())


def decode_part(part: bytes) -> JsonValue:
    """Returns the value of a part that `encode_for_script` made."""
    value: JsonValue = orjson.loads(orjson.loads(part))
    return value


def write_metadata(metadata: JsonValue, key: str, stored: str) -> None:
    """Sets an entry of `userMetadata`, for later actions."""
    if not isinstance(metadata, dict) or not isinstance(metadata["metadata"], list):
        return
    for entry in metadata["metadata"]:
        if isinstance(entry, dict) and entry["key"] == key:
            entry["value"] = stored
            return
    metadata["metadata"].append(msgspec.to_builtins(MetadataEntry(key=key, value=stored)))
    metadata["count"] = len(metadata["metadata"])


def _json_size(value: JsonValue) -> int:
    try:
        return len(orjson.dumps(value))
    except (TypeError, RecursionError):
        raise BadContext("context: expected JSON, got a value that JSON does not have") from None
