"""Says what an administrator does by hand, as no API does it or as others decide it."""

import asyncio
import ipaddress
from collections.abc import Collection, Sequence
from typing import Final
from urllib.parse import urlsplit

from server.connecting.conditions import Condition
from server.moving.source import SourceError
from server.moving.zitadel_api import ORGS_AT_ONCE, ZitadelApi

_NAMES_SHOWN: Final = 5


async def active_there(
    zitadel: ZitadelApi, org_ids: Collection[str], conditions: Collection[Condition]
) -> list[str]:
    """Returns a line for each organisation whose actions ZITADEL itself still runs."""
    triggers = {trigger for condition in conditions for trigger in condition.triggers}
    places = asyncio.Semaphore(ORGS_AT_ONCE)

    async def line(org_id: str) -> str:
        async with places:
            try:
                names = await zitadel.active_at(org_id, triggers)
            except SourceError as error:
                return f"see to the actions of organisation {org_id} in ZITADEL: {error}"
        if not names:
            return ""
        return (
            f"deactivate in ZITADEL, organisation {org_id}: {_listed(names)}; it runs its own"
            " actions first, and then these"
        )

    async with asyncio.TaskGroup() as group:
        lines = [group.create_task(line(org_id)) for org_id in sorted(org_ids)]
    return [line.result() for line in lines if line.result()]


def about_url(public_url: str) -> list[str]:
    """Returns lines about the public URL of this service."""
    parts = urlsplit(public_url)
    lines = []
    if parts.scheme != "https":
        lines.append(
            f"serve {public_url} by TLS: signatures prove who calls, and hide nothing of what is"
            " said"
        )
    if _is_private(parts.hostname or ""):
        lines.append(
            f"let ZITADEL call {parts.hostname}: 4.15.2 and newer need"
            " ZITADEL_HTTPCLIENT_DENYLIST without it"
        )
    return lines


def _is_private(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
