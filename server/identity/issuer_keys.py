"""The keys of the issuer, kept: fetched when they are asked for and old, or lack the one asked for.

One fetch at a time, for all who wait, and none sooner than `INTERVAL_S` after the last, whatever
tokens come. Old keys serve while they are fetched anew, and as long as that fails.
Rule: whether there is no such key, or it cannot be known now, are two answers.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, TypeAlias

import structlog

from server.clock import Clock, wall_clock
from server.domain.refusals import Kind, Refusal
from server.identity.jwks import IssuerKey, KeySet, NoKeys
from server.identity.jwks_fetch import Fetched

INTERVAL_S: Final = 10
"""Between two fetches: tokens with made-up keys cost the issuer no more than this."""

AGE_S: Final = 300
"""How old keys may be before they are fetched anew, if the issuer does not say (max-age)."""

AGE_MIN_S: Final = 60
AGE_MAX_S: Final = 3600
"""What the issuer may say: a key that it withdraws is refused within the hour."""

_US: Final = 1_000_000

Fetch: TypeAlias = Callable[[], Awaitable[Fetched]]

log = structlog.get_logger()


class Found(NamedTuple):
    """A key, and until when it may be used without asking again (microseconds, as the clock)."""

    key: IssuerKey
    until: int


class IssuerKeys:
    """Keys by id and algorithm; `close` it."""

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
        """Fetch the keys before anyone asks; a loop must run."""
        self._refresh()

    async def close(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait((self._fetching,))

    async def find(self, key_id: str | None, algorithm: str) -> Found | None:
        """The key that a token names; None if the issuer has none such.

        Raises:
            Refusal: UNAVAILABLE, as the key is not known, and the keys cannot be had now.
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
                "the token cannot be verified now: its issuer's keys cannot be had, try again",
            )
        return None

    async def _refreshed(self) -> None:
        self._refresh()
        if self._fetching is not None:
            await asyncio.wait((self._fetching,))  # which goes on when this caller leaves

    def _refresh(self) -> None:
        """Fetch, if that was not done just now; where the clock was set back, it was not."""
        now = self._clock()
        if self._fetching is None and not 0 <= now - self._tried_at < INTERVAL_S * _US:
            self._tried_at = now
            self._fetching = asyncio.create_task(self._fetch_once(), name="keys of the JWT issuer")

    async def _fetch_once(self) -> None:
        self._is_failing = True  # until it has not, whatever else may happen
        try:
            fetched = await self._fetch()
        except NoKeys as error:
            log.warning("the keys of the JWT issuer cannot be had", reason=str(error))
        except Exception:
            log.exception("the keys of the JWT issuer cannot be had")
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
