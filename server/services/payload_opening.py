"""Opens payloads in the form that their target says: JSON, a JWT that has it, or a JWE of that JWT.

Follows docs/bridge.md.
Rule 1: the call's signature was verified before, so keys are fetched only for calls of a ZITADEL.
Rule 2: a trial is always JSON: the operator, who makes it, has no key of the ZITADEL.
"""

from typing import Protocol

from server.bridge import encryption, tokens, trials
from server.bridge.signature import BadSignature
from server.bridge.targets import PayloadType, Target
from server.identity.jwks import IssuerKey
from server.services.sized_work import SizedWork


class PayloadKeys(Protocol):
    """Finds keys of issuers; `server.identity.issuers.Issuers` does."""

    async def find(self, issuer: str, key_id: str | None, algorithm: str) -> IssuerKey | None: ...


class PayloadOpening:
    """Opens payloads of all targets."""

    def __init__(self, keys: PayloadKeys, work: SizedWork) -> None:
        """Takes the keys of issuers, and what runs the work on payloads."""
        self._keys = keys
        self._work = work

    async def open(self, target: Target, body: bytes) -> bytes:
        """Returns the JSON that a body has.

        Raises:
            BadSignature: the body has another form, or no key of the target opens it,
                or the issuer did not sign it.
            Refusal: UNAVAILABLE, the issuer's keys cannot be fetched now.
            TooManyWaiting: no thread can verify it.
        """
        if target.payload is PayloadType.JSON or trials.is_trial(body):
            return body
        size = len(body)
        if target.payload is PayloadType.JWE:
            body = await self._work.run(target.id, size, encryption.decrypted, body, target.keys)
        key_id, algorithm = await self._work.run(target.id, size, tokens.header_of, body)
        key = await self._keys.find(target.issuer, key_id, algorithm)
        if key is None:
            raise BadSignature("payload: the issuer has no such key")
        return await self._work.run(
            target.id, size, tokens.verified, body, public=key.public, algorithm=algorithm
        )
