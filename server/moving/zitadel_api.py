"""Reads organisations, actions and flows from a ZITADEL, by its Admin and Management API (v1).

Follows docs/api.md for paths and messages.
Rule: lists that change while they are read are read again.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message

from server.moving.messages import action_of, time_in, triggers_of
from server.moving.source import SourceAction, SourceError, SourceOrg, trigger_named
from server.triggers import FlowType, Trigger
from server.zitadel_client import (
    PAGE,
    ListChanged,
    ZitadelClient,
    ZitadelError,
    pages_of,
    unchanging,
    zitadel_client,
)
from zitadel import action_pb2, admin_pb2, management_pb2, org_pb2

ORGS_AT_ONCE: Final = 4
"""Organisations that are read at the same time."""

M = TypeVar("M", bound=Message)
T = TypeVar("T")


class ZitadelApi:
    """Reads from one ZITADEL."""

    def __init__(self, client: ZitadelClient) -> None:
        """Takes a client with the token of an administrator."""
        self._client = client

    async def read(
        self, org_ids: Sequence[str], progress: Callable[[int, int], None]
    ) -> list[SourceOrg]:
        """Reads organisations, by their ids; without ids all of the instance.

        Args:
            org_ids: the organisations.
            progress: called with the number of organisations read, and of all.

        Raises:
            SourceError: something cannot be read; the text says what to do.
        """
        found = [await self._org(id) for id in org_ids] if org_ids else await self._orgs()
        done = 0
        places = asyncio.Semaphore(ORGS_AT_ONCE)

        async def contents(org: org_pb2.Org) -> SourceOrg:
            nonlocal done
            async with places:
                read = await self._contents(org)
            done += 1
            progress(done, len(found))
            return read

        try:
            async with asyncio.TaskGroup() as group:
                reading = [group.create_task(contents(org)) for org in found]
        except* SourceError as errors:
            raise _first(errors) from None
        return [task.result() for task in reading]

    async def org_ids(self) -> set[str]:
        """Returns the ids of all organisations of the instance.

        Raises:
            SourceError: they cannot be read.
        """
        return {org.id for org in await self._orgs()}

    async def active_at(self, org_id: str, triggers: Collection[Trigger]) -> list[str]:
        """Returns the names of an organisation's active actions at triggers, each once.

        Raises:
            SourceError: a flow cannot be read.
        """
        names: dict[str, None] = {}
        for type in sorted({FlowType(flow) for flow, _ in triggers}):
            for each in (await self._flow(org_id, type)).trigger_actions:
                if trigger_named(str(type.value), each.trigger_type.id) in triggers:
                    active = (
                        action.name
                        for action in each.actions
                        if action.state == action_pb2.ACTION_STATE_ACTIVE
                    )
                    names |= dict.fromkeys(active)
        return [*names]

    async def _org(self, id: str) -> org_pb2.Org:
        answer = await self._ask(
            "GET", "/management/v1/orgs/me", management_pb2.GetMyOrgResponse(), org_id=id
        )
        if answer.org.id != id:
            raise SourceError(
                f"{self._client.url}: asked for organisation {id}, got {answer.org.id!r}"
            )
        return answer.org

    async def _orgs(self) -> list[org_pb2.Org]:
        async def page(offset: int) -> tuple[int, Sequence[org_pb2.Org]]:
            asked = admin_pb2.ListOrgsRequest()
            asked.query.offset, asked.query.limit, asked.query.asc = offset, PAGE, True
            answer = await self._ask(
                "POST", "/admin/v1/orgs/_search", admin_pb2.ListOrgsResponse(), body=asked
            )
            return answer.details.total_result, answer.result

        found = await self._unchanging("the list of organisations", lambda: pages_of(page, _id))
        return [org for org in found if org.state != org_pb2.ORG_STATE_REMOVED]

    async def _contents(self, org: org_pb2.Org) -> SourceOrg:
        async def read() -> SourceOrg:
            actions = await self._actions(org.id)
            triggers: dict[Trigger, tuple[str, ...]] = {}
            changed: dict[FlowType, int] = {}
            for type in FlowType:
                flow = await self._flow(org.id, type)
                triggers |= triggers_of(type, flow)
                if (at := time_in(flow.details.change_date)) is not None:
                    changed[type] = at
            known = {action.id for action in actions}
            if not known.issuperset(id for ids in triggers.values() for id in ids):
                raise ListChanged
            actions.sort(key=lambda action: (action.created_at or 0, action.id))
            return SourceOrg(
                id=org.id,
                name=org.name,
                created_at=time_in(org.details.creation_date),
                actions=actions,
                triggers=triggers,
                flows_changed_at=changed,
            )

        return await self._unchanging(f"organisation {org.id}", read)

    async def _actions(self, org_id: str) -> list[SourceAction]:
        async def page(offset: int) -> tuple[int, Sequence[action_pb2.Action]]:
            asked = management_pb2.ListActionsRequest()
            asked.query.offset, asked.query.limit, asked.query.asc = offset, PAGE, True
            answer = await self._ask(
                "POST",
                "/management/v1/actions/_search",
                management_pb2.ListActionsResponse(),
                body=asked,
                org_id=org_id,
            )
            return answer.details.total_result, answer.result

        return [action_of(message) for message in await pages_of(page, _id)]

    async def _flow(self, org_id: str, type: FlowType) -> action_pb2.Flow:
        path = f"/management/v1/flows/{type.value}"
        answer = await self._ask("GET", path, management_pb2.GetFlowResponse(), org_id=org_id)
        return answer.flow

    async def _unchanging(self, what: str, read: Callable[[], Awaitable[T]]) -> T:
        try:
            return await unchanging(f"{self._client.url}: {what}", read)
        except ZitadelError as error:
            raise SourceError(str(error)) from error

    async def _ask(
        self, method: str, path: str, answer: M, *, body: Message | None = None, org_id: str = ""
    ) -> M:
        """Sends a request, and reads the answer.

        Raises:
            SourceError: it is refused, or not answered in time.
        """
        asked = None if body is None else json_format.MessageToDict(body)
        try:
            text = await self._client.ask(method, path, asked, org_id=org_id)
        except ZitadelError as error:
            raise SourceError(f"{error}{_advice(error.status, org_id)}") from error
        try:
            return json_format.Parse(text, answer, ignore_unknown_fields=True)
        except (json_format.ParseError, UnicodeDecodeError):
            named, kind = self._client.named(method, path), answer.DESCRIPTOR.name
            raise SourceError(f"{named}: expected {kind} as JSON; is it a ZITADEL?") from None


@asynccontextmanager
async def zitadel_api(url: str, token: str) -> AsyncIterator[ZitadelApi]:
    """Opens the API of a ZITADEL."""
    async with zitadel_client(url, token) as client:
        yield ZitadelApi(client)


def _id(item: org_pb2.Org | action_pb2.Action) -> str:
    return item.id


def _advice(status: int, org_id: str) -> str:
    if status == 401:
        return "; is the token (--token-file) one of that ZITADEL, and still valid?"
    if status == 403 and not org_id:
        return "; all organisations need a role of the instance: name some by --org"
    if status in (403, 404) and org_id:
        return f"; may the user of the token read actions and flows of organisation {org_id}?"
    return ""


def _first(errors: ExceptionGroup[SourceError]) -> SourceError:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first
