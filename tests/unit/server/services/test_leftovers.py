"""Effects that no answer can have, written by a ZITADEL's API or told as a warning."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Final

import pytest
import structlog

from server.bridge.calls import Leftover, TargetCall
from server.bridge.events import EventAnswers
from server.bridge.service_accounts import read_account
from server.bridge.targets import Target
from server.runs.recorder import StartedRun
from server.scripts.contract import GrantEffect, MetadataEffect
from server.services import leftovers
from server.triggers import INTERNAL_POST_CREATION
from server.upstream.account_client import AccountClient
from tests.support import metadata_api as stand_in
from tests.support.metadata_api import TOKEN, MetadataApi, metadata_api
from tests.support.tables import cases

RUN: Final = StartedRun(
    id="5", org_id="1", user_id="300", flow_type=3, trigger_type=3, started_at=1, target_id="7"
)
CALL: Final = TargetCall(
    trigger=INTERNAL_POST_CREATION, org_id="900", user_id="300", context={}, answers=EventAnswers()
)
TARGET: Final = Target(
    id="7", name="production", signing_key="k", timeout_ms=1000, ignores_failures=False, orgs={}
)
METADATA: Final = (MetadataEffect("k", b"1"), MetadataEffect("k", b"2"))
GRANTS: Final = (GrantEffect("p1", "", ("a",)), GrantEffect("p2", "g2", ()))
LEFT: Final = Leftover(metadata=METADATA, grants=GRANTS)


@pytest.fixture
async def upstream() -> AsyncIterator[MetadataApi]:
    async with metadata_api() as served:
        yield served


async def told(
    upstream: MetadataApi,
    left: Leftover = LEFT,
    *,
    call: TargetCall = CALL,
    has_account: bool = True,
    within_s: float = 60,
) -> list[Any]:
    """Applies what is left; returns the effects and reasons of warnings."""
    account = read_account(upstream.url, TOKEN) if has_account else None
    ends_at = asyncio.get_running_loop().time() + within_s
    client = AccountClient()
    with structlog.testing.capture_logs() as lines:
        await leftovers.apply(
            left,
            client=client,
            target=replace(TARGET, account=account),
            call=call,
            run=RUN,
            ends_at=ends_at,
        )
    await client.close()
    return [(line["run"], line["target"], line["effects"], line["reason"]) for line in lines]


async def test_metadata_and_grants_are_written_by_the_service_account(
    upstream: MetadataApi,
) -> None:
    assert await told(upstream) == []
    assert upstream.users == {"300": {"k": b"2"}}
    assert upstream.granted == {("300", "p1"): ["a"], ("300", "p2"): []}
    assert {each.rpartition(" ")[2] for each in upstream.asked} == {"900"}


async def test_a_grant_that_the_user_has_stays(upstream: MetadataApi) -> None:
    upstream.granted[("300", "p1")] = ["b"]
    assert await told(upstream) == []
    assert upstream.granted == {("300", "p1"): ["b"], ("300", "p2"): []}


async def test_without_a_service_account_nothing_is_written(upstream: MetadataApi) -> None:
    expected = ("5", "7", "metadata, grants", "the target has no service account")
    assert await told(upstream, has_account=False) == [expected]
    assert upstream.asked == []


async def test_a_user_without_an_id_gets_nothing(upstream: MetadataApi) -> None:
    warnings = await told(upstream, call=replace(CALL, user_id=""))
    assert warnings == [("5", "7", "metadata, grants", "a user without an id")]


async def test_fields_are_never_written(upstream: MetadataApi) -> None:
    warnings = await told(upstream, Leftover(has_fields=True, metadata=METADATA))
    assert warnings == [("5", "7", "fields", "no answer has them")]
    assert upstream.users == {"300": {"k": b"2"}}


@cases(
    "faults, effects",
    {
        "metadata": ([stand_in.forbidden], "metadata"),
        "both": ([stand_in.forbidden, stand_in.forbidden], "metadata, grants"),
    },
)
async def test_what_is_refused_is_a_warning_and_the_rest_is_written(
    upstream: MetadataApi, faults: list[stand_in.Fault], effects: str
) -> None:
    upstream.faults = faults
    reason = "ZITADEL answered 403: may the service account do this?"
    assert await told(upstream) == [("5", "7", effects, reason)]


async def test_what_takes_too_long_is_a_warning(upstream: MetadataApi) -> None:
    warnings = await told(upstream, within_s=0)
    assert warnings == [("5", "7", "metadata, grants", "no answer within the time limit")]
