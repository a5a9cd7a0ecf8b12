"""Reads values of payloads, which are JSON.

Rule: a value of the wrong type is an error that names its path.
"""

from server.bridge.calls import JsonObject
from server.scripts.contract import JsonValue


class BadPayload(Exception):
    """The payload is not one that a call has; the text names the path."""


def part_of(payload: JsonObject, key: str) -> JsonObject:
    """Returns the object at a key; an empty one if it is missing or null."""
    value = payload.get(key)
    return {} if value is None else object_of(value, key)


def list_of(payload: JsonObject, key: str) -> list[JsonValue]:
    """Returns the array at a key; an empty one if it is missing or null."""
    value = payload.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadPayload(f"{key}: expected an array, got {kind_of(value)}")
    return value


def object_of(value: JsonValue, path: str) -> JsonObject:
    """Returns a value that is an object."""
    if not isinstance(value, dict):
        raise BadPayload(f"{path}: expected an object, got {kind_of(value)}")
    return value


def text_of(value: JsonObject, key: str, *, of: str = "") -> str:
    """Returns the text at a key of an object whose path is `of`."""
    found = value.get(key)
    if not isinstance(found, str) or not found:
        raise BadPayload(f"{of}{key}: expected text, got {kind_of(found)}")
    return found


def kind_of(value: JsonValue) -> str:
    """Returns the name of a value's type, for an error."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text" if value else "empty text"
    return "an array" if isinstance(value, list) else "an object"
