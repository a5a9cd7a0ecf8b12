"""Puts a value of every kind at every place of every context: it is read, or its path is named."""

from collections.abc import Iterator
from itertools import islice

import pytest

from server.scripts.contract import BadContext, JsonValue
from server.scripts.host import contexts
from server.triggers import ALL_TRIGGERS, Trigger
from tests.support.contexts_by_kind import READS_ALL, read_as_json, variants
from tests.unit.server.scripts.runner import Runner

FREE = ("claims", "idTokenClaims", "providerInfo", "actor")
"""Members that may hold anything."""

NULLABLE = {"authRequest", "browserInfo", "maxAuthAge", "userGrants"}

EVERY = 30
"""So many of those that are read are given to a script, too: every thirtieth."""


@pytest.mark.parametrize("trigger", ALL_TRIGGERS)
def test_a_read_context_has_the_types_of_the_schema(trigger: Trigger) -> None:
    example = contexts.example(*trigger)
    refused = 0
    for path, context in variants(trigger):
        read = _read(trigger, context)
        if isinstance(read, str):
            assert read.startswith((f"{path}: expected ", f"{path}.", f"{path}[")), path
            refused += 1
        else:
            assert list(_differing(example, read)) == [], path
    assert refused > 500


@pytest.mark.parametrize("trigger", ALL_TRIGGERS)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_read_context_breaks_no_script(runner: Runner, trigger: Trigger) -> None:
    for path, context in islice(_readable(trigger), 0, None, EVERY):
        result = await runner.one(READS_ALL, trigger=trigger, context=context)
        assert result.failure is None, path


def _read(trigger: Trigger, context: JsonValue) -> dict[str, JsonValue] | str:
    """Returns the context that is read, or the error."""
    try:
        contexts.pack(*trigger, context)
        return read_as_json(trigger, context)
    except BadContext as error:
        return str(error)


def _readable(trigger: Trigger) -> Iterator[tuple[str, JsonValue]]:
    for path, context in variants(trigger):
        # The runner would give the example for none.
        if context is not None and not isinstance(_read(trigger, context), str):
            yield path, context


def _differing(example: JsonValue, read: JsonValue, name: str = "") -> Iterator[str]:
    """Names of members that are of another kind in what was read than in the example."""
    if name in FREE or (read is None and name in NULLABLE):
        return
    if isinstance(example, dict) and isinstance(read, dict):
        if name in ("form", "postForm", "headers"):
            return
        if list(example) != list(read):
            yield f"{name}: {list(read)}"
            return
        for key, value in example.items():
            yield from _differing(value, read[key], key)
    elif isinstance(example, list) and isinstance(read, list):
        for item in read if example else ():
            yield from _differing(example[0], item, name)
    elif type(example) is not type(read):
        yield f"{name}: {read!r}"
