"""Makes the HTTP requests of scripts: workers have no network.

Follows docs/scripts.md "Modules" for requests and answers.

Rule 1: every host is resolved and checked here, and the connection goes to the addresses that were
checked; each redirect is a new request, checked again.
Rule 2: memory is bounded: the body of a request, an answer as sent and inflated, redirects and
connections have limits. The action's deadline cancels the request.
Rule 3: the text of an error is never that of a foreign exception.
Rule 4: organisations share no connections, and none waits for a request of another.
"""

import contextlib
import socket
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from types import MappingProxyType
from typing import Final

import aiohttp
import msgspec
import orjson
import structlog
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDict
from yarl import URL

from server.resolver import Resolver
from server.scripts.host.addresses import Policy
from server.scripts.host.fetch_answer import Response, read_response
from server.scripts.host.fetch_connection import Connector, ParsingTurns, Refused
from server.scripts.host.fetch_request import (
    QUOTED_MAX_CHARS,
    FetchError,
    Request,
    is_same_origin,
    read_request,
    url_of,
)
from server.scripts.host.watching import ActionWatch

REDIRECTS_MAX: Final = 10
"""Max redirects of a request; more fail."""

CONNECT_MAX_S: Final = 10.0
"""Max seconds to connect to one address."""

LINE_MAX_BYTES: Final = 8190
"""Max bytes of the status line, and of each header, of an answer; the default of aiohttp."""

IDLE_CLIENTS_MAX: Final = 32
"""Max organisations whose connections are kept after their requests; the oldest are closed."""

_DEFAULT_HEADERS: Final = (("Content-Type", "application/json"), ("Accept", "application/json"))
_SECRET: Final = ("authorization", "cookie", "cookie2", "www-authenticate", "proxy-authorization")
"""Headers that are left out once a redirect leads to another origin."""


log = structlog.get_logger()


class Fetcher:
    """Answers the requests of all organisations."""

    def __init__(
        self,
        *,
        deny: Iterable[str] = (),
        allow: Iterable[str] = (),
        dns_servers: Sequence[str] = (),
    ) -> None:
        """Opens nothing yet.

        Args:
            deny: see `addresses`.
            allow: see `addresses`.
            dns_servers: see `resolver`.

        Raises:
            ValueError: an entry of the lists of addresses is invalid.
        """
        self._policy = Policy(deny=deny, allow=allow)
        self._resolver = Resolver(servers=dns_servers)
        self._turns = ParsingTurns()
        self._clients: OrderedDict[str, _Client] = OrderedDict()
        """Clients by organisation, in the order of their last request."""

    async def close(self) -> None:
        while self._clients:
            _, client = self._clients.popitem()
            await client.close()

    async def answer(
        self, org_id: str, payload: bytes, *, watch: ActionWatch | None = None
    ) -> bytes:
        """Returns the answer to a script's request as JSON, with `error` if it failed."""
        try:
            request = read_request(payload)
            with self._client(org_id) as client:
                fetching = client.fetch if watch is None else partial(_watched, client, watch)
                response = await fetching(request)
            return msgspec.json.encode(response)
        except FetchError as error:
            return orjson.dumps({"error": str(error)})
        except Exception:
            log.exception("fetch of a script failed", org_id=org_id)
            return orjson.dumps({"error": "fetch failed"})
        finally:
            await self._close_idle()

    @contextlib.contextmanager
    def _client(self, org_id: str) -> Iterator["_Client"]:
        client = self._clients.get(org_id)
        if client is None:
            client = self._clients[org_id] = _Client(self._policy, self._resolver, self._turns)
        self._clients.move_to_end(org_id)
        client.fetches += 1
        try:
            yield client
        finally:
            client.fetches -= 1

    async def _close_idle(self) -> None:
        # Searches anew after each: while one closes, others may begin or end requests.
        while (org_id := self._oldest_idle()) is not None:
            await self._clients.pop(org_id).close()

    def _oldest_idle(self) -> str | None:
        """Returns the organisation whose connections are closed next; None if none are."""
        oldest = islice(self._clients.items(), max(len(self._clients) - IDLE_CLIENTS_MAX, 0))
        return next((org_id for org_id, client in oldest if not client.fetches), None)


class _Client:
    """Sends the requests of one organisation.

    Attributes:
        fetches: number of its current requests.
    """

    def __init__(self, policy: Policy, resolver: AbstractResolver, turns: ParsingTurns) -> None:
        self.fetches = 0
        self._policy = policy
        self._session = aiohttp.ClientSession(
            connector=Connector(_CheckedResolver(policy, resolver), turns=turns),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_MAX_S),
            headers={"User-Agent": "actions", "Accept-Encoding": "gzip"},
            skip_auto_headers=("Content-Type",),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            max_line_size=LINE_MAX_BYTES,
            max_field_size=LINE_MAX_BYTES,
        )

    async def close(self) -> None:
        await self._session.close()

    async def fetch(
        self, request: Request, *, added: Mapping[str, str] = MappingProxyType({})
    ) -> Response:
        """Sends a request, and follows redirects.

        Args:
            request: as the script made it.
            added: headers; not sent if the script sets the first of them.

        Raises:
            FetchError: there is no answer that fits.
        """
        url = url_of(request.url)
        method = request.method
        body = request.body.encode() if request.body is not None else None
        headers = CIMultiDict(_DEFAULT_HEADERS if request.headers is None else request.headers)
        if added and next(iter(added)) not in headers:
            for name, value in added.items():
                headers.setdefault(name, value)
        for _ in range(REDIRECTS_MAX + 1):
            async with await self._send(method, url, headers, body) as response:
                status, target = response.status, response.headers.get("Location")
                if status not in (301, 302, 303, 307, 308) or target is None:
                    return await read_response(response)
            following = url_of(target, base=url)
            if not is_same_origin(url, following):
                for name in _SECRET:
                    headers.popall(name, None)
            if status == 303 or (status in (301, 302) and method not in ("GET", "HEAD")):
                method, body = ("HEAD" if method == "HEAD" else "GET"), None
            url = following
        raise FetchError(f"stopped after {REDIRECTS_MAX} redirects")

    async def _send(
        self, method: str, url: URL, headers: CIMultiDict[str], body: bytes | None
    ) -> aiohttp.ClientResponse:
        host = url.raw_host or ""
        try:
            if _is_literal(host) and self._policy.denies(host, (host,)):
                raise _Denied
            return await self._session.request(
                method, url, headers=headers, data=body, allow_redirects=False
            )
        except _Denied:
            raise FetchError("host is denied (ACTIO-N72d0)") from None
        except Refused as refused:
            raise FetchError(str(refused)) from None
        except aiohttp.ClientConnectorDNSError:
            raise FetchError(f"lookup of {host[:QUOTED_MAX_CHARS]} failed (ACTIO-4m9s2)") from None
        except (aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError):
            raise FetchError(f"no TLS that can be trusted with {host[:QUOTED_MAX_CHARS]}") from None
        except aiohttp.ClientConnectorError:
            raise FetchError(f"no connection to {host[:QUOTED_MAX_CHARS]}") from None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            raise FetchError(f"no answer from {host[:QUOTED_MAX_CHARS]}") from None


async def _watched(client: _Client, watch: ActionWatch, request: Request) -> Response:
    url = url_of(request.url)
    fetch = watch.fetch_begins(request.method, url.scheme, url.host or "", url.port)
    status = None
    try:
        response = await client.fetch(request, added=fetch.headers)
        status = response.status
    finally:
        fetch.ended(status)
    return response


class _Denied(Exception):
    """Scripts may not reach the host."""


class _CheckedResolver(AbstractResolver):
    """Resolves names, and refuses those that scripts may not reach."""

    def __init__(self, policy: Policy, resolver: AbstractResolver) -> None:
        self._policy = policy
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if self._policy.denies(host, (result["host"] for result in found)):
            raise _Denied
        return found

    async def close(self) -> None:
        await self._resolver.close()


def _is_literal(host: str) -> bool:
    """True if aiohttp reads the host as an address, which it does not resolve."""
    return ":" in host or host.replace(".", "").isdigit()
