"""`http.fetch` of scripts: made here, as a worker has no network.

Follows the Actions API, "Execution", for what is sent and what is answered.

Rule 1: every host is resolved here and judged, and the addresses that were judged are those
connected to; each redirect is a new request, judged again.
Rule 2: what a script can make us hold is bounded: its body, the answer as it comes and inflated,
redirects. The time is the action's: who awaits the answer cancels.
Rule 3: what goes wrong is told in our words, never by the text of a foreign exception.
"""

import socket
import zlib
from collections.abc import Iterable
from typing import Annotated, Final

import aiohttp
import msgspec
import orjson
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDict
from yarl import URL

from server.execution.addresses import Policy

REQUEST_MAX_BYTES: Final = 1 << 20
RESPONSE_MAX_BYTES: Final = 1 << 20
REDIRECTS_MAX: Final = 10
HEADERS_MAX: Final = 100
CONNECT_MAX_S: Final = 10.0
CONNECTIONS_MAX: Final = 100

_DEFAULT_HEADERS: Final = (("Content-Type", "application/json"), ("Accept", "application/json"))
_OURS: Final = frozenset(
    ("host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer")
)
"""Headers that say how a message is framed and to whom it goes: not a script's to set."""
_SECRET: Final = frozenset(("authorization", "cookie", "www-authenticate", "proxy-authorization"))
"""Left out when a redirect leads to another host."""

_NAME: Final = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}\Z"


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    url: str
    method: Annotated[str, msgspec.Meta(pattern=_NAME)] = "GET"
    headers: list[tuple[Annotated[str, msgspec.Meta(pattern=_NAME)], str]] | None = None
    body: str | None = None


class _Response(msgspec.Struct):
    status: int
    headers: dict[str, list[str]]
    body: str


_decode: Final = msgspec.json.Decoder(_Request).decode


class FetchError(Exception):
    """Why there is no answer, as a script is told."""


class Fetcher:
    def __init__(self, *, deny: Iterable[str] = (), allow: Iterable[str] = ()) -> None:
        """Raises ValueError for an entry that is none; see `addresses`."""
        self._policy = Policy(deny=deny, allow=allow)
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def answer(self, payload: bytes) -> bytes:
        """The answer to a script's request, as JSON; `error` in it is what went wrong."""
        try:
            return msgspec.json.encode(await self._fetch(_read(payload)))
        except FetchError as error:
            return orjson.dumps({"error": str(error)})

    async def _fetch(self, request: _Request) -> _Response:
        url = _url(request.url)
        method = request.method
        body = request.body.encode() if request.body is not None else None
        headers = CIMultiDict(_DEFAULT_HEADERS if request.headers is None else request.headers)
        for _ in range(REDIRECTS_MAX + 1):
            async with await self._send(method, url, headers, body) as response:
                status, target = response.status, response.headers.get("Location")
                if status not in (301, 302, 303, 307, 308) or target is None:
                    return await _read_response(response)
            following = _url(target, base=url)
            if following.host != url.host:
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
            return await self._open().request(
                method, url, headers=headers, data=body, allow_redirects=False
            )
        except _Denied:
            raise FetchError("host is denied (ACTIO-N72d0)") from None
        except aiohttp.ClientConnectorDNSError:
            raise FetchError(f"lookup of {host[:80]} failed (ACTIO-4m9s2)") from None
        except (aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError):
            raise FetchError(f"no TLS that can be trusted with {host[:80]}") from None
        except aiohttp.ClientConnectorError:
            raise FetchError(f"no connection to {host[:80]}") from None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            raise FetchError(f"no answer from {host[:80]}") from None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=_Resolver(self._policy), use_dns_cache=False, limit=CONNECTIONS_MAX
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_MAX_S),
                headers={"User-Agent": "actions", "Accept-Encoding": "gzip"},
                skip_auto_headers=("Content-Type",),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                max_line_size=8190,
                max_field_size=8190,
            )
        return self._session


class _Denied(Exception):
    """A host that may not be reached."""


class _Resolver(AbstractResolver):
    """Resolves names; those that may not be reached are refused, all others as they resolved."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if self._policy.denies(host, (result["host"] for result in found)):
            raise _Denied
        return found

    async def close(self) -> None:
        await self._resolver.close()


def _read(payload: bytes) -> _Request:
    if len(payload) > REQUEST_MAX_BYTES:
        raise FetchError(f"a request of {len(payload)} bytes, expected at most {REQUEST_MAX_BYTES}")
    try:
        request = _decode(payload)
    except msgspec.ValidationError:
        raise FetchError("method and names of headers: expected tokens of HTTP") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise FetchError("a request that cannot be read") from None
    headers = request.headers or ()
    if len(headers) > HEADERS_MAX:
        raise FetchError(f"{len(headers)} headers, expected at most {HEADERS_MAX}")
    for name, value in headers:
        if name.lower() in _OURS:
            raise FetchError(f"header {name}: it is not a script's to set")
        if any(character in value for character in "\r\n\0"):
            raise FetchError(f"header {name}: a line break in its value")
    return request


def _url(text: str, base: URL | None = None) -> URL:
    try:
        url = URL(text)
        if base is not None:
            url = base.join(url)
    except ValueError:
        raise FetchError(f"url: expected one of http or https, got {text[:80]!r}") from None
    if url.scheme not in ("http", "https") or not url.raw_host:
        raise FetchError(f"url: expected one of http or https, got {text[:80]!r}")
    return url.with_fragment(None)


def _is_literal(host: str) -> bool:
    """An address, as aiohttp tells: one for which it asks no resolver."""
    return ":" in host or host.replace(".", "").isdigit()


async def _read_response(response: aiohttp.ClientResponse) -> _Response:
    headers: dict[str, list[str]] = {}
    for name, value in response.headers.items():
        headers.setdefault("-".join(map(str.capitalize, name.split("-"))), []).append(value)
    body = await _read_body(response)
    return _Response(response.status, headers, body.decode(errors="replace"))


async def _read_body(response: aiohttp.ClientResponse) -> bytes:
    """The body, inflated if it came so, never more of it than the limit."""
    is_gzip = response.headers.get("Content-Encoding", "").strip().lower() == "gzip"
    inflater = zlib.decompressobj(wbits=31) if is_gzip else None
    body = bytearray()
    try:
        async for chunk in response.content.iter_any():
            room = RESPONSE_MAX_BYTES + 1 - len(body)
            body += inflater.decompress(chunk, room) if inflater else chunk
            if len(body) > RESPONSE_MAX_BYTES:
                raise FetchError(f"an answer of more than {RESPONSE_MAX_BYTES} bytes")
    except zlib.error:
        raise FetchError("an answer that cannot be inflated") from None
    except (aiohttp.ClientError, OSError):
        raise FetchError("an answer that ends too early") from None
    return bytes(body)
