"""Paths and bodies of writes to a ZITADEL."""

from server.bridge.service_accounts import read_account
from server.scripts.contract import GrantEffect, MetadataEffect
from server.upstream import writes
from server.upstream.account_client import AccountClient
from server.upstream.metadata import Place
from tests.support.metadata_api import TOKEN, metadata_api


async def test_ids_are_escaped_in_paths() -> None:
    client = AccountClient()
    async with metadata_api() as upstream:
        place = Place(read_account(upstream.url, TOKEN), "900", "3?0")
        await writes.set_metadata(client, place, [MetadataEffect("k", b"1")])
        await writes.add_grants(client, place, [GrantEffect("p", "", ())])
        assert upstream.asked == [
            "/management/v1/users/3?0/metadata/_bulk 900",
            "/management/v1/users/3?0/grants 900",
        ]
    await client.close()
