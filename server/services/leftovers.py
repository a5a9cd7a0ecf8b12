"""Applies what actions set and no answer to ZITADEL can have, by its API or not at all.

Follows docs/bridge.md "Requests, responses and events".
Rule: what could not be applied is a warning; the answer is given anyhow.
"""

import asyncio

import structlog

from server.bridge.calls import Leftover, TargetCall
from server.bridge.targets import Target
from server.runs.recorder import StartedRun
from server.upstream import writes
from server.upstream.account_client import AccountClient, Unanswered
from server.upstream.metadata import Place

log = structlog.get_logger()


async def apply(
    left: Leftover,
    *,
    client: AccountClient | None,
    target: Target,
    call: TargetCall,
    run: StartedRun,
    ends_at: float,
) -> None:
    """Writes what is left of a run's effects.

    Args:
        left: of the effects.
        client: asks ZITADEL.
        target: may have a service account.
        call: names the user there.
        run: for the log.
        ends_at: of the loop's clock; what is not written then is not.
    """
    undone = left.names
    reason = "a user without an id" if target.account else "the target has no service account"
    if client is not None and target.account is not None and call.user_id:
        place = Place(target.account, call.org_id, call.user_id)
        try:
            async with asyncio.timeout_at(ends_at):
                undone, reason = await _written(client, place, left)
        except TimeoutError:
            reason = "no answer within the time limit"
    if undone:
        log.warning(
            "effects of a run cannot be applied",
            run=run.id,
            target=target.id,
            effects=", ".join(undone),
            reason=reason,
        )


async def _written(
    client: AccountClient, place: Place, left: Leftover
) -> tuple[tuple[str, ...], str]:
    """Returns the names of what could not be written, and why."""
    undone, reason = [], ""
    if left.has_fields:
        undone.append("fields")
        reason = "no answer has them"
    try:
        if left.metadata:
            await writes.set_metadata(client, place, left.metadata)
    except Unanswered as error:
        undone.append("metadata")
        reason = str(error)
    try:
        if left.grants:
            await writes.add_grants(client, place, left.grants)
    except Unanswered as error:
        undone.append("grants")
        reason = str(error)
    return tuple(undone), reason
