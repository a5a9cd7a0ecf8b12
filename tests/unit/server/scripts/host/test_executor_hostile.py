"""Runs hostile scripts: they fail with a clear text, in time, and cost no other run anything."""

import time

import pytest

from tests.support.hostile_scripts import HOSTILE, Hostile
from tests.unit.server.scripts.runner import Runner

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOOD = "function f(ctx, api) { api.v1.claims.setClaim('k', 1) }"

PATIENCE_S = 5.0
"""Beyond the timeout, on a machine that has much else to do; `make robustness` asks for 0.1."""


async def test_there_are_at_least_forty() -> None:
    assert len(HOSTILE) >= 40
    assert len({hostile.name for hostile in HOSTILE}) == len(HOSTILE)


@pytest.mark.parametrize("hostile", [pytest.param(one, id=one.name) for one in HOSTILE])
async def test_a_hostile_script_ends_in_time_and_the_next_is_served(
    runner: Runner, hostile: Hostile
) -> None:
    began = time.monotonic()
    result = await runner.one(
        hostile.source, trigger=hostile.trigger, timeout_ms=hostile.timeout_ms
    )
    took = time.monotonic() - began
    text = result.failure.text if result.failure else ""
    assert text.startswith(hostile.told), text
    assert "the process that ran the action ended" not in text
    assert len(text) < 5000
    assert took < hostile.timeout_ms / 1000 + PATIENCE_S
    after = await runner.run(GOOD)
    assert (after.failed, dict(after.effects.claims)) == (None, {"k": 1})
