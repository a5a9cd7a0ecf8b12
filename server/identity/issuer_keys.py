"""Caches the keys of the issuer, and fetches them again when they are old or a key is missing.

All callers wait for the same fetch, and fetches are at least `INTERVAL_S` apart, whatever tokens
come. Old keys stay in use while a fetch runs or fails.
Rule: "the issuer has no such key" and "the keys are unavailable now" are different answers.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, TypeAlias

import structlog

from server import tasks
from server.clock import Clock, wall_clock
from server.domain.refusals import Kind, Refusal
from server.identity.jwks import IssuerKey, KeySet, NoKeys
from server.identity.jwks_fetch import Fetched

INTERVAL_S: Final = 10
"""Min seconds between two fetches, so that tokens with invented key ids do not cause more."""

AGE_S: Final = 300
"""Max age of keys in seconds, if the issuer sends no max-age."""

AGE_MIN_S: Final = 60
AGE_MAX_S: Final = 3600
"""Bounds of the issuer's max-age: a withdrawn key is refused within an hour."""

_US: Final = 1_000_000

Fetch: TypeAlias = Callable[[], Awaitable[Fetched]]

log = structlog.get_logger()


class Found(NamedTuple):
    """Holds a key, and the time until which tokens verified by it may be cached (microseconds)."""

    key: IssuerKey
    until: int


class IssuerKeys:
    """Finds keys by id and algorithm, from `start` to `close`."""

    def __init__(self, fetch: Fetch, *, clock: Clock = wall_clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys = KeySet(())
        self._age = AGE_S * _US
        self._fetched_at = 0
        self._tried_at = -INTERVAL_S * _US
        self._is_failing = False
        self._fetching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to fetch the keys before the first token comes; needs a running loop."""
        self._refresh()

    async def close(self) -> None:
        await tasks.end(self._fetching)

    async def find(self, key_id: str | None, algorithm: str) -> Found | None:
        """Returns the key that a token names; None if the issuer has no such key.

        Raises:
            Refusal: UNAVAILABLE, the key is unknown and the keys cannot be fetched now.
        """
        key = self._keys.find(key_id, algorithm)
        if key is None:
            await self._refreshed()
            key = self._keys.find(key_id, algorithm)
        elif self._are_old():
            self._refresh()
        if key is not None:
            tried_again_at = self._tried_at + INTERVAL_S * _US
            return Found(key, max(self._fetched_at + self._age, tried_again_at))
        if self._is_failing:
            raise Refusal(
                Kind.UNAVAILABLE,
                "the token cannot be verified now: its issuer's keys are unavailable, try again",
            )
        return None

    async def _refreshed(self) -> None:
        self._refresh()
        if self._fetching is not None:
            await asyncio.wait(
                (self._fetching,)
            )  # not `await`: a caller that is cancelled does not end the fetch

    def _refresh(self) -> None:
        """Begins a fetch unless one began within `INTERVAL_S`; a clock set back delays none."""
        now = self._clock()
        if self._fetching is None and not 0 <= now - self._tried_at < INTERVAL_S * _US:
            self._tried_at = now
            self._fetching = asyncio.create_task(self._fetch_once(), name="keys of the JWT issuer")

    async def _fetch_once(self) -> None:
        self._is_failing = True  # until a fetch succeeds
        try:
            fetched = await self._fetch()
        except NoKeys as error:
            log.warning("the keys of the JWT issuer cannot be fetched", reason=str(error))
        except Exception:
            log.exception("the keys of the JWT issuer cannot be fetched")
        else:
            self._is_failing = False
            self._keys = fetched.keys
            age_s = AGE_S if fetched.max_age_s is None else fetched.max_age_s
            self._age = min(max(age_s, AGE_MIN_S), AGE_MAX_S) * _US
            self._fetched_at = self._clock()
        finally:
            self._fetching = None

    def _are_old(self) -> bool:
        return not 0 <= self._clock() - self._fetched_at < self._age
