"""Reads organisations, actions and flows from a ZITADEL, by its Admin and Management API (v1).

Follows docs/api.md for paths and messages, and RFC 9110 section 10.2.3 (Retry-After).
Rule 1: a request is repeated while the server is busy or away, a bounded number of times. Errors
name the request, never the token.
Rule 2: lists that change while they are read are read again.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

import aiohttp
import orjson
from google.protobuf import json_format
from google.protobuf.message import Message

from server.http_failures import why_unanswered
from server.moving.messages import action_of, time_in, triggers_of
from server.moving.source import SourceAction, SourceError, SourceOrg
from server.resolver import Resolver
from server.triggers import FlowType, Trigger
from zitadel import action_pb2, admin_pb2, management_pb2, org_pb2

PAGE: Final = 100
"""Items of a list that are asked for at once."""
ATTEMPTS_MAX: Final = 6
"""Max times that a request is sent, and that a list is read."""
REQUEST_TIMEOUT_S: Final = 30.0
WAIT_MAX_S: Final = 60.0
"""Max seconds between two attempts, whatever Retry-After says."""
ANSWER_MAX_BYTES: Final = 16 << 20
"""Max bytes of an answer: a page of the largest scripts has 4 MB."""
ORGS_AT_ONCE: Final = 4
"""Organisations that are read at the same time."""

_BUSY: Final = frozenset({429, 502, 503, 504})
_SHOWN_CHARS: Final = 200

M = TypeVar("M", bound=Message)
T = TypeVar("T")


class _Changing(Exception):
    """A list changed while it was read."""


class ZitadelApi:
    """Reads from one ZITADEL."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        """Takes the URL of the ZITADEL without a path, and the token of an administrator."""
        self._session = session
        self._url = url.rstrip("/")
        self._token = token

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

    async def _org(self, id: str) -> org_pb2.Org:
        answer = await self._ask(
            "GET", "/management/v1/orgs/me", management_pb2.GetMyOrgResponse(), org_id=id
        )
        if answer.org.id != id:
            raise SourceError(f"{self._url}: asked for organisation {id}, got {answer.org.id!r}")
        return answer.org

    async def _orgs(self) -> list[org_pb2.Org]:
        async def page(offset: int) -> tuple[int, Sequence[org_pb2.Org]]:
            asked = admin_pb2.ListOrgsRequest()
            asked.query.offset, asked.query.limit, asked.query.asc = offset, PAGE, True
            answer = await self._ask(
                "POST", "/admin/v1/orgs/_search", admin_pb2.ListOrgsResponse(), body=asked
            )
            return answer.details.total_result, answer.result

        found = await self._unchanging("the list of organisations", lambda: _pages(page))
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
                raise _Changing
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

        return [action_of(message) for message in await _pages(page)]

    async def _flow(self, org_id: str, type: FlowType) -> action_pb2.Flow:
        path = f"/management/v1/flows/{type.value}"
        answer = await self._ask("GET", path, management_pb2.GetFlowResponse(), org_id=org_id)
        return answer.flow

    async def _unchanging(self, what: str, read: Callable[[], Awaitable[T]]) -> T:
        """Reads until nothing changes meanwhile."""
        for _ in range(ATTEMPTS_MAX):
            try:
                return await read()
            except _Changing:
                continue
        raise SourceError(f"{self._url}: {what} changes while it is read; try again later")

    async def _ask(
        self, method: str, path: str, answer: M, *, body: Message | None = None, org_id: str = ""
    ) -> M:
        """Sends a request until it is answered, and reads the answer.

        Raises:
            SourceError: it is refused, or not answered in time.
        """
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        if org_id:
            headers["x-zitadel-orgid"] = org_id
        asked: dict[str, Any] = {}
        if body is not None:
            asked["json"] = json_format.MessageToDict(body)
        named = f"{method} {self._url}{path}"
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                async with self._session.request(
                    method, self._url + path, headers=headers, allow_redirects=False, **asked
                ) as response:
                    text = await _read(response)
                    status, wait_s = response.status, _retry_after(response)
            except TimeoutError:
                problem, wait_s = f"no answer within {REQUEST_TIMEOUT_S:g} s", None
            except (aiohttp.ClientError, OSError) as error:
                problem, wait_s = why_unanswered(error), None
            except ValueError as error:
                raise SourceError(f"{named}: {error}") from error
            else:
                if status == 200:
                    return _parsed(text, answer, named)
                problem = f"answered {status}: {_message_in(text)}"
                if status not in _BUSY:
                    raise SourceError(f"{named}: {problem}{_advice(status, org_id)}")
            if attempt < ATTEMPTS_MAX:
                await asyncio.sleep(min(2.0**attempt / 4 if wait_s is None else wait_s, WAIT_MAX_S))
        raise SourceError(f"{named}: {problem} ({ATTEMPTS_MAX} attempts); try again later")


@asynccontextmanager
async def zitadel_api(url: str, token: str) -> AsyncIterator[ZitadelApi]:
    """Opens the API of a ZITADEL; proxies are those of the environment."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=Resolver(), use_dns_cache=False),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S),
        trust_env=True,
    ) as session:
        yield ZitadelApi(session, url, token)


async def _pages(page: Callable[[int], Awaitable[tuple[int, Sequence[Any]]]]) -> list[Any]:
    """Reads all pages of a list.

    Args:
        page: returns the total and the items from an offset on.

    Raises:
        _Changing: the list changed between two pages.
    """
    found: dict[str, Any] = {}
    total, items = await page(0)
    while True:
        new = {item.id: item for item in items}
        if len(new) != len(items) or not new.keys().isdisjoint(found):
            raise _Changing
        found |= new
        if len(found) >= total or not items:
            break
        now_total, items = await page(len(found))
        if now_total != total:
            raise _Changing
    if len(found) != total:
        raise _Changing
    return list(found.values())


async def _read(response: aiohttp.ClientResponse) -> bytes:
    text = b""
    async for part in response.content.iter_chunked(1 << 16):
        text += part
        if len(text) > ANSWER_MAX_BYTES:
            raise ValueError(f"expected an answer of at most {ANSWER_MAX_BYTES} bytes")
    return text


def _parsed(text: bytes, answer: M, named: str) -> M:
    try:
        return json_format.Parse(text, answer, ignore_unknown_fields=True)
    except (json_format.ParseError, UnicodeDecodeError):
        kind = answer.DESCRIPTOR.name
        raise SourceError(f"{named}: expected {kind} as JSON; is it a ZITADEL?") from None


def _message_in(text: bytes) -> str:
    """Returns the message of an error's answer, in printable characters."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    message = found.get("message") if isinstance(found, dict) else None
    if not isinstance(message, str):
        message = text[:_SHOWN_CHARS].decode("utf-8", "replace")
    return "".join(each if each.isprintable() else " " for each in message[:_SHOWN_CHARS])


def _advice(status: int, org_id: str) -> str:
    if status == 401:
        return "; is the token (--token-file) one of that ZITADEL, and still valid?"
    if status == 403 and not org_id:
        return "; all organisations need a role of the instance: name some by --org"
    if status in (403, 404) and org_id:
        return f"; may the user of the token read actions and flows of organisation {org_id}?"
    return ""


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    """Returns the seconds that the server asks to wait; None if it does not say."""
    text = response.headers.get("Retry-After", "")
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        return max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return None


def _first(errors: ExceptionGroup[SourceError]) -> SourceError:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first
