"""Remembers the signatures of a target's calls, so that a call that is repeated later is refused.

A signature has a time in seconds and nothing that is the call's own. Two calls of one second with
equal bodies (an introspection, asked twice) have the same signature, and both are genuine: a
repetition is a call for `TOGETHER_S` seconds, and a replay after that.

Rule 1: only proved signatures are remembered, so no one else can fill the memory.
Rule 2: memory is bounded. Once one is forgotten early, all that are as old are refused.
"""

from collections import OrderedDict
from typing import Final

from server.bridge.signature import WINDOW_S

TOGETHER_S: Final = 3
"""Seconds from the first arrival of a signature in which equal calls are answered."""

REMEMBERED_MAX: Final = 50_000
"""Max signatures of one target; about 200 bytes each."""

_KEPT_S: Final = 2 * WINDOW_S + 1
"""Seconds after which a signature is outside of the window anyhow, were its time ahead of ours."""


class Replays:
    """Remembers the signatures of one target."""

    def __init__(self, *, remembered_max: int = REMEMBERED_MAX) -> None:
        self._max = remembered_max
        self._seen: OrderedDict[bytes, tuple[int, int]] = OrderedDict()
        self._refused_until_s = -1

    def is_replay(self, signature: bytes, *, at_s: int, now_s: int) -> bool:
        """Remembers a proved signature; True if it must be refused.

        Args:
            signature: as `signature.verify` returns it.
            at_s: its time.
            now_s: seconds of a clock that is never set back.
        """
        self._forget(now_s)
        seen = self._seen.get(signature)
        if seen is not None:
            return now_s - seen[0] > TOGETHER_S
        if at_s <= self._refused_until_s:
            return True
        self._seen[signature] = (now_s, at_s)
        if len(self._seen) > self._max:
            _, (_, dropped_s) = self._seen.popitem(last=False)
            self._refused_until_s = max(self._refused_until_s, dropped_s)
        return False

    def _forget(self, now_s: int) -> None:
        while self._seen:
            first_s, _ = next(iter(self._seen.values()))
            if now_s - first_s <= _KEPT_S:
                return
            self._seen.popitem(last=False)
