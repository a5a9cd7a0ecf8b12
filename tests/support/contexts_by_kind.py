"""Contexts with a value replaced by one of every kind, and a script that reads all of a context."""

import itertools
import json
from collections.abc import Iterator
from typing import Final, TypeAlias

import msgspec

from server.scripts.contract import JsonValue
from server.scripts.host import contexts
from server.triggers import Trigger

Path: TypeAlias = tuple[str | int, ...]


_VALUES: Final = """[
  null, true, false, 0, -1, 4, 1.5, 1e300, 9223372036854775808.0,
  "", "x", "12", "-1", "٣", "99999999999999999999",
  "2025-03-04T05:06:07Z", "2025-03-04T05:06:07.\uff11Z", "2025-03-04T05:06:07+01:99",
  [], [1], ["x"], [null], [[]], [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]],
  {}, {"a": 1}, {"a": ["x"]}, {"__proto__": {"a": 1}}, {"constructor": 1, "length": 5},
  {"grants": [{}]}, {"metadata": [{"key": "k", "value": {"a": [1]}}]}
]"""
VALUES: Final[tuple[JsonValue, ...]] = (*json.loads(_VALUES), "x" * 50_000)

READS_ALL: Final = """function f(ctx, api) {
  const read = (value, depth) => {
    if (depth > 30 || value === null) return;
    if (typeof value === 'function') return read(value('sub'), depth + 1);
    if (typeof value !== 'object') return;
    JSON.stringify(value);
    if (typeof value.unix === 'function') return value.unix() + value.format('2006');
    for (const key of Object.keys(value)) read(value[key], depth + 1);
  };
  read(ctx, 0);
  if (api.v1.claims) {
    api.v1.claims.setClaim('all', [ctx.v1.getUser(), ctx.v1.user.getMetadata()]);
  }
}"""


def read_as_json(trigger: Trigger, context: JsonValue) -> dict[str, JsonValue]:
    """A context as it is read, as JSON."""
    read: dict[str, JsonValue] = msgspec.to_builtins(contexts.read_context(*trigger, context))
    return read


def variants(trigger: Trigger) -> Iterator[tuple[str, JsonValue]]:
    """The trigger's example with one value replaced, and the path of that."""
    example = contexts.example(*trigger)
    for path, value in itertools.product(_paths(example), VALUES):
        yield _named(path), _with(example, path, value)


def _paths(value: JsonValue) -> Iterator[Path]:
    yield ()
    if isinstance(value, dict):
        for name, member in value.items():
            yield from ((name, *path) for path in _paths(member))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from ((index, *path) for path in _paths(item))


def _named(path: Path) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return f"context{''.join(steps)}"


def _with(context: JsonValue, path: Path, value: JsonValue) -> JsonValue:
    if not path:
        return value
    rest = path[1:]
    match context, path[0]:
        case dict(), str(step):
            return {**context, step: _with(context[step], rest, value)}
        case list(), int(step):
            return [*context[:step], _with(context[step], rest, value), *context[step + 1 :]]
    raise AssertionError(path)
