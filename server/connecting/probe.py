"""Calls a target as ZITADEL does, through its public URL, for a user that does not exist.

Follows docs/bridge.md. The user's organisation is bound nowhere: a call that is proved changes
nothing, runs nothing, and is answered `{}`.
"""

import json
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import aiohttp

from server.bridge import signature
from server.http_failures import why_unanswered
from server.resolver import Resolver

TIMEOUT_S: Final = 10.0
ANSWER_MAX_BYTES: Final = 1 << 16

_NOTHING: Final = b"{}"


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """Says what a call was answered.

    Attributes:
        fault: why the call would not do; empty if it would.
        is_unproved: True if something answered that the signature is wrong.
    """

    fault: str = ""
    is_unproved: bool = False


Probe: TypeAlias = Callable[[str, str], Awaitable[ProbeAnswer]]
"""Calls an endpoint with a signing key."""


async def probe(endpoint: str, key: str) -> ProbeAnswer:
    """Calls an endpoint with a signing key, and says what is wrong with its answer."""
    user = {"id": "bridge-test", "resource_owner": f"bridge-test-{secrets.token_hex(8)}"}
    body = json.dumps({"function": "function/preuserinfo", "user": user}).encode()
    try:
        status, answer = await _post(endpoint, body, key)
    except TimeoutError:
        return ProbeAnswer(f"no answer within {TIMEOUT_S:g} s")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return ProbeAnswer(why_unanswered(error))
    if status == 200 and answer.strip() == _NOTHING:
        return ProbeAnswer()
    if status == 401:
        fault = (
            "answered 401: its signing key is another, it is not this service, or the clocks differ"
        )
        return ProbeAnswer(fault, is_unproved=True)
    return ProbeAnswer(f"answered {status}, expected 200 and {{}}: is it this service?")


async def _post(endpoint: str, body: bytes, key: str) -> tuple[int, bytes]:
    at_s = str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        signature.HEADER: f"t={at_s},v1={signature.sign(at_s, body, key=key).hex()}",
    }
    async with (
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=Resolver(), use_dns_cache=False),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            trust_env=True,
        ) as session,
        session.post(endpoint, data=body, headers=headers, allow_redirects=False) as response,
    ):
        return response.status, await response.content.read(ANSWER_MAX_BYTES)
