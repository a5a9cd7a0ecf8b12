"""Sends requests to the API of a ZITADEL, and repeats them while it is busy or away.

Follows RFC 9110 section 10.2.3 (Retry-After).
Rule 1: each attempt has a deadline, and the number of attempts a bound. A request that must not be
done twice is repeated only if the server has not taken it.
Rule 2: errors name the request, never the token. Answers are read up to a limit.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

import aiohttp
import orjson

from server.http_answers import read_body, why_unanswered
from server.resolver import Resolver

PAGE: Final = 100
"""Items of a list that are asked for at once."""
ATTEMPTS_MAX: Final = 6
"""Max times that a request is sent, and that a list is read."""
REQUEST_TIMEOUT_S: Final = 30.0
WAIT_MAX_S: Final = 60.0
"""Max seconds between two attempts, whatever Retry-After says."""
ANSWER_MAX_BYTES: Final = 16 << 20
"""Max bytes of an answer: a page of the largest scripts has 4 MB."""

_BUSY: Final = frozenset({429, 502, 503, 504})
_NOT_TAKEN: Final = frozenset({429})
"""Statuses that say that a request was not done."""
_SHOWN_CHARS: Final = 200

T = TypeVar("T")


class ZitadelError(Exception):
    """A request was refused, or not answered; the text names it and says why.

    Attributes:
        status: of the answer; 0 without one.
    """

    def __init__(self, text: str, *, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class ListChanged(Exception):
    """A list changed while it was read."""


class ZitadelClient:
    """Sends requests to one ZITADEL, as one user."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        """Takes the URL of the ZITADEL without a path, and the token of the user."""
        self._session = session
        self.url: Final = url.rstrip("/")
        self._token = token

    async def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        org_id: str = "",
        is_repeatable: bool = True,
    ) -> bytes:
        """Sends a request until it is answered with 200, and returns the body.

        Args:
            method: of HTTP.
            path: with the query, if it has one.
            body: sent as JSON.
            org_id: the organisation that the request is about.
            is_repeatable: False if the request must not be done twice.

        Raises:
            ZitadelError: it is refused, or not answered in time.
        """
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        if org_id:
            headers["x-zitadel-orgid"] = org_id
        named = self.named(method, path)
        status = 0
        for attempt in range(1, ATTEMPTS_MAX + 1):
            status, wait_s, is_taken = 0, None, True
            try:
                async with self._session.request(
                    method, self.url + path, headers=headers, allow_redirects=False, json=body
                ) as response:
                    text = await read_body(response, max_bytes=ANSWER_MAX_BYTES)
                    status, wait_s = response.status, _retry_after(response)
            except TimeoutError:
                problem = f"no answer within {REQUEST_TIMEOUT_S:g} s"
            except (aiohttp.ClientError, OSError) as error:
                problem = why_unanswered(error)
                is_taken = not isinstance(error, aiohttp.ClientConnectorError)
            except ValueError as error:
                raise ZitadelError(f"{named}: {error}") from error
            else:
                if status == 200:
                    return text
                problem = f"answered {status}: {_message_in(text)}"
                is_taken = status not in _NOT_TAKEN
                if status not in _BUSY:
                    raise ZitadelError(f"{named}: {problem}", status=status)
            if is_taken and not is_repeatable:
                raise ZitadelError(f"{named}: {problem}", status=status)
            if attempt < ATTEMPTS_MAX:
                await asyncio.sleep(min(2.0**attempt / 4 if wait_s is None else wait_s, WAIT_MAX_S))
        text_of_all = f"{named}: {problem} ({ATTEMPTS_MAX} attempts); try again later"
        raise ZitadelError(text_of_all, status=status)

    def named(self, method: str, path: str) -> str:
        """Returns how texts name a request."""
        return f"{method} {self.url}{path}"


@asynccontextmanager
async def zitadel_client(url: str, token: str) -> AsyncIterator[ZitadelClient]:
    """Opens a client of a ZITADEL; proxies are those of the environment."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=Resolver(), use_dns_cache=False),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S),
        trust_env=True,
    ) as session:
        yield ZitadelClient(session, url, token)


async def pages_of(
    page: Callable[[int], Awaitable[tuple[int, Sequence[T]]]], key: Callable[[T], Hashable]
) -> list[T]:
    """Reads all pages of a list.

    Args:
        page: returns the total and the items from an offset on.
        key: tells items apart.

    Raises:
        ListChanged: the list changed between two pages.
    """
    found: dict[Hashable, T] = {}
    total, items = await page(0)
    while True:
        new = {key(item): item for item in items}
        if len(new) != len(items) or not new.keys().isdisjoint(found):
            raise ListChanged
        found |= new
        if len(found) >= total or not items:
            break
        now_total, items = await page(len(found))
        if now_total != total:
            raise ListChanged
    if len(found) != total:
        raise ListChanged
    return list(found.values())


async def unchanging(named: str, read: Callable[[], Awaitable[T]]) -> T:
    """Reads until nothing changes meanwhile.

    Args:
        named: names in the error what is read.
        read: reads once, and raises ListChanged.

    Raises:
        ZitadelError: it changed at each attempt.
    """
    for _ in range(ATTEMPTS_MAX):
        try:
            return await read()
        except ListChanged:
            continue
    raise ZitadelError(f"{named} changes while it is read; try again later")


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


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    """Returns the seconds that the server asks to wait; None if it does not say."""
    text = response.headers.get("Retry-After", "")
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        return max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return None
