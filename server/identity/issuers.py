"""Finds keys of the issuers of signed payloads; each issuer's keys are fetched and cached apart.

Follows docs/bridge.md: an issuer is a ZITADEL, and publishes its keys at one path below its URL.
Rule: issuers are fetched only on behalf of callers who have proved themselves.
"""

from functools import partial
from typing import Final

from server.identity.issuer_keys import IssuerKeys
from server.identity.jwks import IssuerKey
from server.identity.jwks_fetch import fetch
from server.threads import ThreadPool

KEYS_PATH: Final = "/oauth/v2/keys"
"""Path of a ZITADEL's key set."""


class Issuers:
    """Finds keys by issuer, until it is closed."""

    def __init__(self, *, threads: ThreadPool) -> None:
        """Takes the threads that parse key sets."""
        self._threads = threads
        self._keys: dict[str, IssuerKeys] = {}

    async def find(self, issuer: str, key_id: str | None, algorithm: str) -> IssuerKey | None:
        """Returns the key of an issuer; None if it has no such key.

        Raises:
            Refusal: UNAVAILABLE, the key is unknown and the keys cannot be fetched now.
        """
        keys = self._keys.get(issuer)
        if keys is None:
            get = partial(fetch, issuer, issuer + KEYS_PATH, threads=self._threads)
            keys = self._keys[issuer] = IssuerKeys(get)
        found = await keys.find(key_id, algorithm)
        return None if found is None else found.key

    async def close(self) -> None:
        """Ends the fetches under way."""
        for keys in self._keys.values():
            await keys.close()
