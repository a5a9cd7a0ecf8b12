"""Calls a target through its public URL, as ZITADEL does, and asks what would run.

Follows docs/bridge.md. A call that is proved is answered, runs nothing and changes nothing.
"""

import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import aiohttp
import msgspec

from server.bridge import signature, trials
from server.http_answers import TooLarge, read_body, why_unanswered
from server.resolver import Resolver

TIMEOUT_S: Final = 10.0
ANSWER_MAX_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """Says what a call was answered.

    Attributes:
        fault: why the call would not do; empty if it would.
        is_unproved: True if something answered that the signature is wrong.
        org_id: the organisation here whose actions would run; None for none.
        actions: names of its active actions by "flow/trigger".
        metadata: what the target says of metadata of the organisation in ZITADEL.
    """

    fault: str = ""
    is_unproved: bool = False
    org_id: str | None = None
    actions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    metadata: str = trials.NO_ACCOUNT

    @property
    def is_fine(self) -> bool:
        """True if actions of an organisation would run, with the metadata that they ask for."""
        return self.org_id is not None and self.metadata in (trials.NO_ACCOUNT, trials.READ)


Probe: TypeAlias = Callable[[str, str, str], Awaitable[ProbeAnswer]]
"""Calls an endpoint with a signing key, for users of an organisation in ZITADEL."""


class _Trial(msgspec.Struct):
    organisation: str | None
    actions: dict[str, list[str]]
    metadata: str = trials.NO_ACCOUNT


class _Answer(msgspec.Struct):
    trial: _Trial


async def probe(endpoint: str, key: str, org_id: str) -> ProbeAnswer:
    """Calls an endpoint with a signing key, and says what it answered or what is wrong.

    Args:
        endpoint: of the target.
        key: its signing key.
        org_id: an organisation in ZITADEL; empty asks only if the call is proved.
    """
    asked = {"organisation": org_id or "none", "once": secrets.token_hex(8)}
    try:
        status, answer = await _post(endpoint, msgspec.json.encode({trials.MEMBER: asked}), key)
    except TimeoutError:
        return ProbeAnswer(f"no answer within {TIMEOUT_S:g} s")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return ProbeAnswer(why_unanswered(error))
    if status == 401:
        fault = (
            "answered 401: its signing key is another, it is not this service, or the clocks differ"
        )
        return ProbeAnswer(fault, is_unproved=True)
    try:
        trial = msgspec.json.decode(answer, type=_Answer).trial if status == 200 else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        trial = None
    if trial is None:
        return ProbeAnswer(f"answered {status}, expected 200 with a trial: is it this service?")
    return ProbeAnswer(org_id=trial.organisation, actions=trial.actions, metadata=trial.metadata)


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
        try:
            return response.status, await read_body(response, max_bytes=ANSWER_MAX_BYTES)
        except TooLarge:
            return response.status, b""  # which is no trial
