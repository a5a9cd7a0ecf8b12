"""The user of a session, asked of a ZITADEL."""

from collections.abc import AsyncIterator

import pytest

from server.bridge.service_accounts import read_account
from server.upstream import sessions
from server.upstream.account_client import AccountClient, Unanswered
from server.upstream.sessions import SessionUser
from tests.support import metadata_api as stand_in
from tests.support.metadata_api import TOKEN, Fault, MetadataApi, metadata_api
from tests.support.tables import cases


@pytest.fixture
async def upstream() -> AsyncIterator[MetadataApi]:
    async with metadata_api() as served:
        served.sessions["8/9"] = ("300", "900")
        yield served


@pytest.fixture
async def client() -> AsyncIterator[AccountClient]:
    made = AccountClient()
    yield made
    await made.close()


async def user_of(client: AccountClient, upstream: MetadataApi, session_id: str) -> SessionUser:
    account = read_account(upstream.url, TOKEN)
    return await sessions.user_of(client, account, session_id, org_id="100")


async def test_a_session_has_a_user_of_an_organisation(
    client: AccountClient, upstream: MetadataApi
) -> None:
    assert await user_of(client, upstream, "8/9") == SessionUser("300", "900")
    assert upstream.asked == ["/v2/sessions/8/9 100"]


@cases(
    "session_id, faults, reason",
    {
        "unknown": ("7", [], "ZITADEL answered 404: may the service account do this?"),
        "forbidden": (
            "8/9", [stand_in.forbidden], "ZITADEL answered 403: may the service account do this?",
        ),
        "no JSON": ("8/9", [stand_in.garbage], "expected a session with a user"),
        "a redirect": ("8/9", [stand_in.elsewhere], "ZITADEL answered 302"),
    },
)  # fmt: skip
async def test_a_session_that_cannot_be_read_is_unanswered(
    client: AccountClient,
    upstream: MetadataApi,
    session_id: str,
    faults: list[Fault],
    reason: str,
) -> None:
    upstream.faults = [*faults]
    with pytest.raises(Unanswered) as failed:
        await user_of(client, upstream, session_id)
    assert str(failed.value) == reason
