"""Reads metadata of organisations and users, which payloads of functions lack.

Follows docs/bridge.md "What scripts see", and ZITADEL's Management API (v1): ListOrgMetadata,
ListUserMetadata.
Rule 1: a list is read when a script asks for it, and remembered for seconds.
Rule 2: a run gets the lists of its own user and organisations, and no others.
"""

import asyncio
import base64
import binascii
from collections.abc import Collection
from typing import Final, NamedTuple
from urllib.parse import quote

import msgspec
import structlog

from server.bridge.service_accounts import ServiceAccount
from server.scripts.contract import BadContext, JsonValue, NoMetadata
from server.scripts.host import contexts
from server.upstream.account_client import FAILED_S, AccountClient, Unanswered
from server.upstream.remembered import Remembered
from server.zitadel_client import ZitadelError, pages_of, unchanging

KEPT_S: Final = 5.0
"""Seconds for which a list is remembered."""

READ_MAX_S: Final = 5.0
"""Max seconds of a read, with a token for it; a run waits at most half of its own time, too."""

KEPT_MAX_BYTES: Final = 32 << 20
LIST_MAX_BYTES: Final = 1 << 20
"""Max bytes of a list as scripts get it."""

PAGE: Final = 1000
"""Entries that are asked for at once, the most that ZITADEL gives."""

ORG_PART: Final = "orgMetadata"
USER_PART: Final = "userMetadata"

_FIXED_BYTES: Final = 500
_Number = int | str  # ProtoJSON writes 64 bits as text

log = structlog.get_logger()


class Place(NamedTuple):
    """Names a list: a user's, or an organisation's where there is no user."""

    account: ServiceAccount
    org_id: str
    user_id: str = ""

    def __str__(self) -> str:
        return f"user {self.user_id}" if self.user_id else f"organisation {self.org_id}"


class _EntryDetails(msgspec.Struct, rename="camel"):
    sequence: _Number = 0
    creation_date: str | None = None
    change_date: str | None = None
    resource_owner: str = ""


class _Entry(msgspec.Struct):
    key: str = ""
    value: str = ""
    details: _EntryDetails = msgspec.field(default_factory=_EntryDetails)


class _Details(msgspec.Struct, rename="camel"):
    total_result: _Number = 0
    processed_sequence: _Number = 0
    view_timestamp: str | None = None


class _Page(msgspec.Struct):
    details: _Details = msgspec.field(default_factory=_Details)
    result: list[_Entry] = []


_decode_page: Final = msgspec.json.Decoder(_Page).decode


class UpstreamMetadata:
    """Reads lists for all runs, until `close`."""

    def __init__(self, client: AccountClient) -> None:
        self._client = client
        self._lists: Remembered[Place, bytes | NoMetadata] = Remembered(
            size_max=KEPT_MAX_BYTES, size_of=_size_of
        )

    async def close(self) -> None:
        await self._lists.close()

    async def read(self, place: Place, *, within_s: float) -> bytes:
        """Returns a list as `contexts.metadata_json` has it.

        Raises:
            NoMetadata: it cannot be read in time.
        """
        try:
            async with asyncio.timeout(within_s):
                found = await self._lists.get(place, lambda: self._listed(place))
        except TimeoutError:
            raise NoMetadata(f"metadata of {place}: no answer within {within_s:g} s") from None
        if isinstance(found, NoMetadata):
            raise NoMetadata(str(found))
        return found

    def forget(self, place: Place) -> None:
        """Drops a list that is about to change."""
        self._lists.forget(place)

    async def _listed(self, place: Place) -> tuple[bytes | NoMetadata, float]:
        """Returns a list or why there is none, and for how many seconds that holds."""
        try:
            async with asyncio.timeout(READ_MAX_S):
                return await self._whole(place), KEPT_S
        except TimeoutError:
            reason = f"no answer within {READ_MAX_S:g} s"
        except (Unanswered, ZitadelError) as error:
            reason = str(error)
        log.warning(
            "metadata cannot be read",
            of=str(place),
            issuer=place.account.issuer,
            reason=reason,
        )
        return NoMetadata(f"metadata of {place}: {reason}"), FAILED_S

    async def _whole(self, place: Place) -> bytes:
        """Returns the list of one moment."""
        details = _Details()
        size = 0

        async def page(offset: int) -> tuple[int, list[_Entry]]:
            nonlocal details, size
            found = await self._page(place, offset)
            details, size = found.details, size if offset else 0
            size += sum(len(each.value) + len(each.key) for each in found.result)
            if size > LIST_MAX_BYTES:
                raise Unanswered(f"expected at most {LIST_MAX_BYTES} bytes, got more")
            return int(found.details.total_result), found.result

        entries = await unchanging("it", lambda: pages_of(page, key=lambda entry: entry.key))
        listed: dict[str, JsonValue] = {
            "sequence": details.processed_sequence,
            "timestamp": details.view_timestamp,
            "metadata": [*map(_entry, entries)],
        }
        try:
            return contexts.metadata_json(listed)
        except BadContext as error:
            raise Unanswered(f"expected a list of metadata: {error}") from None

    async def _page(self, place: Place, offset: int) -> _Page:
        user = quote(place.user_id, safe="")
        path = f"/users/{user}/metadata" if user else "/metadata"
        asked = {"query": {"offset": str(offset), "limit": PAGE, "asc": True}}
        answer = await self._client.ask(
            place.account, f"/management/v1{path}/_search", asked, org_id=place.org_id
        )
        try:
            page = _decode_page(answer)
            int(page.details.total_result)
        except (msgspec.DecodeError, ValueError):
            raise Unanswered("expected a list of metadata as JSON; is it a ZITADEL?") from None
        return page


class CallMetadata:
    """Reads for one call of a target; implements `MetadataSource`."""

    def __init__(
        self,
        lists: UpstreamMetadata,
        own: Place,
        *,
        granting: Collection[str],
        has_user: bool,
        within_s: float,
    ) -> None:
        """Takes what the call may read.

        Args:
            lists: reads them.
            own: the place of the user.
            granting: ids of the organisations that granted to the user.
            has_user: True if the call has the user's metadata itself.
            within_s: max seconds of a read.
        """
        self._lists = lists
        self._own = own
        self._granting = granting
        self._within_s = within_s
        self._parts = frozenset({ORG_PART} if has_user else {ORG_PART, USER_PART})

    @property
    def parts(self) -> frozenset[str]:
        return self._parts

    async def read(self, part: str, org_id: str) -> bytes:
        if org_id and org_id not in self._granting:
            raise NoMetadata("metadata: the organisation granted nothing to the user")
        place = self._own if part == USER_PART else self._own._replace(user_id="")
        if org_id:
            place = place._replace(org_id=org_id)
        return await self._lists.read(place, within_s=self._within_s)

    def user_changes(self) -> None:
        """Drops the user's list, as ZITADEL is about to change it."""
        self._lists.forget(self._own)


def _entry(entry: _Entry) -> JsonValue:
    try:
        value = base64.b64decode(entry.value, validate=True)
    except (binascii.Error, ValueError):
        raise Unanswered(f"expected base64, got {entry.value[:40]!r}") from None
    details = entry.details
    return {
        "creationDate": details.creation_date,
        "changeDate": details.change_date,
        "resourceOwner": details.resource_owner,
        "sequence": details.sequence,
        "key": entry.key,
        "value": value.decode(errors="replace"),
    }


def _size_of(found: bytes | NoMetadata) -> int:
    return _FIXED_BYTES + (len(found) if isinstance(found, bytes) else 0)
