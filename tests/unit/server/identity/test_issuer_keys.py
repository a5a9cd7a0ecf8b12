"""The issuer's keys, kept: when they are fetched, who waits, and what old ones are good for."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import structlog

from server.domain.refusals import Kind, Refusal
from server.identity.issuer_keys import AGE_MAX_S, AGE_MIN_S, AGE_S, INTERVAL_S, Found, IssuerKeys
from server.identity.jwks import IssuerKey, KeySet, NoKeys
from server.identity.jwks_fetch import Fetched
from tests.support.issuer import Signer

SECOND = 1_000_000
START = 1_700_000_000 * SECOND

OLD = IssuerKey("old", Signer("EdDSA", "old").private.public_key(), frozenset({"EdDSA"}))
NEW = IssuerKey("new", Signer("EdDSA", "new").private.public_key(), frozenset({"EdDSA"}))


class Issuer:
    """Stands in for the fetch of keys, which waits at the gate."""

    def __init__(self) -> None:
        self.now = START
        self.fetched = Fetched(KeySet([OLD]), None)
        self.failure: Exception | None = None
        self.fetches = 0
        self.gate = asyncio.Event()
        self.gate.set()

    def clock(self) -> int:
        return self.now

    async def fetch(self) -> Fetched:
        self.fetches += 1
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return self.fetched


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
async def keys(issuer: Issuer) -> AsyncIterator[IssuerKeys]:
    made = IssuerKeys(issuer.fetch, clock=issuer.clock)
    yield made
    await made.close()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def id_of(found: Found | None) -> str | None:
    return None if found is None else found.key.id


async def unavailable(keys: IssuerKeys, key_id: str) -> bool:
    with pytest.raises(Refusal) as caught:
        await keys.find(key_id, "EdDSA")
    return caught.value.kind is Kind.UNAVAILABLE


async def test_keys_are_fetched_once_for_all_waiting_callers(
    issuer: Issuer, keys: IssuerKeys
) -> None:
    issuer.gate.clear()
    waiting = [asyncio.create_task(keys.find("old", "EdDSA")) for _ in range(50)]
    await settled()
    issuer.gate.set()
    assert {id_of(found) for found in await asyncio.gather(*waiting)} == {"old"}
    assert issuer.fetches == 1


async def test_keys_are_there_before_anyone_asks(issuer: Issuer, keys: IssuerKeys) -> None:
    keys.start()
    await settled()
    issuer.gate.clear()
    assert id_of(await keys.find("old", "EdDSA")) == "old"


async def test_a_key_is_good_until_the_keys_are_old(issuer: Issuer, keys: IssuerKeys) -> None:
    assert await keys.find("old", "EdDSA") == Found(OLD, START + AGE_S * SECOND)
    issuer.now += AGE_S * SECOND - 1
    await keys.find("old", "EdDSA")
    await settled()
    assert issuer.fetches == 1


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        pytest.param(None, AGE_S, id="nothing"),
        pytest.param(600, 600, id="a time between"),
        pytest.param(0, AGE_MIN_S, id="no time at all"),
        pytest.param(999_999_999, AGE_MAX_S, id="years"),
    ],
)
async def test_the_issuer_says_within_bounds_how_long_keys_are_kept(
    issuer: Issuer, keys: IssuerKeys, said: int | None, kept: int
) -> None:
    issuer.fetched = replace(issuer.fetched, max_age_s=said)
    found = await keys.find("old", "EdDSA")
    assert found is not None
    assert found.until == START + kept * SECOND


async def test_old_keys_serve_while_they_are_fetched_anew(issuer: Issuer, keys: IssuerKeys) -> None:
    await keys.find("old", "EdDSA")
    issuer.now += AGE_S * SECOND
    issuer.fetched = Fetched(KeySet([NEW]), None)
    issuer.gate.clear()
    assert await keys.find("old", "EdDSA") == Found(OLD, issuer.now + INTERVAL_S * SECOND)
    await settled()
    issuer.gate.set()
    await settled()
    assert issuer.fetches == 2
    assert id_of(await keys.find("new", "EdDSA")) == "new"
    assert await keys.find("old", "EdDSA") is None


async def test_an_unknown_key_is_looked_for_at_the_issuer(issuer: Issuer, keys: IssuerKeys) -> None:
    await keys.find("old", "EdDSA")
    issuer.now += INTERVAL_S * SECOND
    issuer.fetched = Fetched(KeySet([OLD, NEW]), None)
    assert id_of(await keys.find("new", "EdDSA")) == "new"
    assert issuer.fetches == 2


async def test_made_up_keys_cost_the_issuer_one_fetch_an_interval(
    issuer: Issuer, keys: IssuerKeys
) -> None:
    for number in range(100):
        assert await keys.find(f"made up {number}", "EdDSA") is None
    assert issuer.fetches == 1
    issuer.now += INTERVAL_S * SECOND
    for number in range(100):
        assert await keys.find(f"made up {number}", "EdDSA") is None
    assert issuer.fetches == 2


async def test_a_made_up_key_delays_no_other_caller(issuer: Issuer, keys: IssuerKeys) -> None:
    await keys.find("old", "EdDSA")
    issuer.now += INTERVAL_S * SECOND
    issuer.gate.clear()
    waiting = asyncio.create_task(keys.find("made up", "EdDSA"))
    await settled()
    assert id_of(await keys.find("old", "EdDSA")) == "old"
    assert not waiting.done()
    issuer.gate.set()
    assert await waiting is None


@pytest.mark.parametrize("failure", [NoKeys("down"), RuntimeError("a fault of ours")])
async def test_without_keys_nothing_is_known(issuer: Issuer, failure: Exception) -> None:
    keys = IssuerKeys(issuer.fetch, clock=issuer.clock)
    issuer.failure = failure
    with structlog.testing.capture_logs() as lines:
        assert await unavailable(keys, "old")
        assert await unavailable(keys, "old")
    assert issuer.fetches == 1
    assert [line["event"] for line in lines] == ["the keys of the JWT issuer cannot be fetched"]
    issuer.failure = None
    issuer.now += INTERVAL_S * SECOND
    assert id_of(await keys.find("old", "EdDSA")) == "old"
    await keys.close()


async def test_known_keys_outlive_a_failing_issuer_and_unknown_ones_are_not_denied(
    issuer: Issuer, keys: IssuerKeys
) -> None:
    await keys.find("old", "EdDSA")
    issuer.failure = NoKeys("down")
    issuer.now += 30 * 86_400 * SECOND
    assert id_of(await keys.find("old", "EdDSA")) == "old"
    await settled()
    assert issuer.fetches == 2
    assert await keys.find("old", "EdDSA") == Found(OLD, issuer.now + INTERVAL_S * SECOND)
    assert await unavailable(keys, "new")
    assert issuer.fetches == 2


async def test_a_clock_that_was_set_back_does_not_keep_old_keys(
    issuer: Issuer, keys: IssuerKeys
) -> None:
    await keys.find("old", "EdDSA")
    issuer.now -= 86_400 * SECOND
    await keys.find("old", "EdDSA")
    await settled()
    assert issuer.fetches == 2


async def test_a_caller_that_leaves_does_not_stop_the_fetch_of_others(
    issuer: Issuer, keys: IssuerKeys
) -> None:
    issuer.gate.clear()
    leaves, stays = (asyncio.create_task(keys.find("old", "EdDSA")) for _ in range(2))
    await settled()
    leaves.cancel()
    await settled()
    issuer.gate.set()
    assert id_of(await stays) == "old"
    assert leaves.cancelled()


async def test_closing_ends_a_fetch_under_way(issuer: Issuer, keys: IssuerKeys) -> None:
    issuer.gate.clear()
    waiting = asyncio.create_task(keys.find("old", "EdDSA"))
    await settled()
    await keys.close()
    with pytest.raises(Refusal):
        await waiting
