"""Keys of several issuers, over HTTP."""

from collections.abc import AsyncIterator

import pytest

from server.domain.refusals import Kind, Refusal
from server.identity.issuers import KEYS_PATH, Issuers
from tests.support.issuer import Signer, answering
from tests.support.threads import THREADS
from tests.support.zitadel import instance

ONE, TWO = Signer("ES256", "one"), Signer("ES256", "two")


@pytest.fixture
async def issuers() -> AsyncIterator[Issuers]:
    made = Issuers(threads=THREADS)
    yield made
    await made.close()


async def test_each_issuer_has_its_own_keys_and_is_asked_once(issuers: Issuers) -> None:
    with instance(ONE) as one, instance(TWO) as two:
        for _ in range(2):
            found = await issuers.find(one.url, "one", "ES256")
            assert found is not None
            assert found.public == ONE.private.public_key()
        assert await issuers.find(two.url, "one", "ES256") is None
        assert (one.asked, two.asked) == ([KEYS_PATH], [KEYS_PATH])


async def test_keys_that_cannot_be_fetched_are_unavailable(issuers: Issuers) -> None:
    with instance() as broken:
        broken.answers[KEYS_PATH] = answering({}, status=500)
        with pytest.raises(Refusal) as refused:
            await issuers.find(broken.url, "one", "ES256")
    assert refused.value.kind is Kind.UNAVAILABLE
