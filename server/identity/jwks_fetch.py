"""Fetches the key set of an issuer, from a given URL or the one in its discovery document.

Follows OpenID Connect Discovery 1.0 section 4, and RFC 9111 section 5.2.2.1 (max-age).
Rule: an answer is trusted because of its URL (`server.urls`), so redirects are not followed. An
answer is not inflated, and not held beyond the limit. A failure is one line of text.
"""

import asyncio
import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import aiohttp
import msgspec

from server.http_answers import TooLarge, read_body, why_unanswered
from server.identity.jwks import KeySet, NoKeys, parse_key_set
from server.resolver import Resolver
from server.threads import ThreadPool
from server.urls import is_https, may_be_fetched

DISCOVERY_PATH: Final = "/.well-known/openid-configuration"
DOCUMENT_MAX_BYTES: Final = 64 << 10
"""Max bytes of a key set or a discovery document: ten times the usual size."""

FETCH_TIMEOUT_S: Final = 5.0
"""Max seconds of a whole fetch, and so of a call that waits for keys."""

SHOWN_MAX_CHARS: Final = 200
"""Max characters of a foreign value in an error."""

_MAX_AGE: Final = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?([0-9]{1,9})", re.IGNORECASE)
_NO_CACHE: Final = re.compile(r"(?:^|[\s,])no-(?:cache|store)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fetched:
    """Holds a fetched key set.

    Attributes:
        max_age_s: seconds for which it may be cached; None if the answer does not say.
    """

    keys: KeySet
    max_age_s: int | None


class _Discovery(msgspec.Struct):
    issuer: str
    jwks_uri: str


_decode_discovery: Final = msgspec.json.Decoder(_Discovery).decode


async def fetch(issuer: str, jwks_url: str, *, threads: ThreadPool) -> Fetched:
    """Fetches the key set.

    Args:
        issuer: the issuer of the keys.
        jwks_url: of the key set; empty to read it from the discovery document.
        threads: parse the key set, which takes up to 5 ms of CPU.

    Raises:
        NoKeys: the fetch failed; the text says why.
    """
    try:
        async with (
            asyncio.timeout(FETCH_TIMEOUT_S),
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=Resolver(), use_dns_cache=False),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            ) as session,
        ):
            url = jwks_url or await _discovered(session, issuer)
            document, cache_control = await _get(session, url)
            with _named(url):
                keys = await threads.run("", parse_key_set, document)
    except TimeoutError:
        raise NoKeys(f"{jwks_url or issuer}: no answer within {FETCH_TIMEOUT_S:g} s") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise NoKeys(f"{jwks_url or issuer}: {why_unanswered(error)}") from error
    return Fetched(keys, _max_age_s(cache_control))


async def _discovered(session: aiohttp.ClientSession, issuer: str) -> str:
    url = issuer.removesuffix("/") + DISCOVERY_PATH
    document, _ = await _get(session, url)
    with _named(url):
        return jwks_uri_of(document, issuer)


def jwks_uri_of(document: bytes, issuer: str) -> str:
    """Returns the URL of the key set in a discovery document.

    Raises:
        NoKeys: the document is malformed or of another issuer, or its URL lacks https.
    """
    try:
        said = _decode_discovery(document)
    except (msgspec.MsgspecError, ValueError, RecursionError):  # not UTF-8 is a ValueError
        raise NoKeys('expected a JSON object with "issuer" and "jwks_uri"') from None
    if said.issuer != issuer:
        raise NoKeys(f"expected the issuer {issuer}, got {said.issuer[:SHOWN_MAX_CHARS]!r}")
    if not may_be_fetched(said.jwks_uri) or (is_https(issuer) and not is_https(said.jwks_uri)):
        raise NoKeys(f"expected a jwks_uri with https, got {said.jwks_uri[:SHOWN_MAX_CHARS]!r}")
    return said.jwks_uri


async def _get(session: aiohttp.ClientSession, url: str) -> tuple[bytes, str]:
    """Returns the body of the answer, and its Cache-Control."""
    async with session.get(url, allow_redirects=False) as response:
        if response.status != 200:
            raise NoKeys(f"{url}: expected HTTP status 200, got {response.status}")
        try:
            document = await read_body(response, max_bytes=DOCUMENT_MAX_BYTES)
        except TooLarge:
            raise NoKeys(f"{url}: expected at most {DOCUMENT_MAX_BYTES} bytes") from None
        return document, response.headers.get("Cache-Control", "")


@contextlib.contextmanager
def _named(url: str) -> Iterator[None]:
    """Adds the URL to the text of a failure."""
    try:
        yield
    except NoKeys as error:
        raise NoKeys(f"{url}: {error}") from None


def _max_age_s(cache_control: str) -> int | None:
    if _NO_CACHE.search(cache_control):
        return 0
    match = _MAX_AGE.search(cache_control)
    return int(match[1]) if match else None
