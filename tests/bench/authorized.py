"""Measures the CPU of authorization for a call whose token is cached, in this process.

Rule: tokens are real, and so is what was looked up to know them; only the store is a stub.
"""

import functools
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from multidict import CIMultiDict

from server.domain.org import Member, Org
from server.domain.user import Token, User
from server.identity.authorization import Authorizer
from server.identity.issuer_keys import Found
from server.identity.jwks import IssuerKey
from server.identity.jwts import Jwts
from server.identity.tokens import new_secret
from server.rpc.call_info import CallInfo
from server.rpc.interceptors.authorization import Authorization
from tests.bench.load import WrongAnswer
from tests.bench.loops import Loop
from tests.support.issuer import AUDIENCE, Signer, claims
from tests.support.named_answers import NamedAnswers
from transcoder.http.headers import HttpMetadata

ISSUER: Final = "https://issuer.example"
METHOD: Final = "/zitadel.management.v1.ManagementService/GetAction"
PERMISSION: Final = "org.action.read"
ORG_ID, USER_ID = "100000000000000001", "200000000000000001"
ASKED_US: Final = 8.0


class _Accounts(NamedAnswers):
    """One user, whom every token and every subject belongs to."""

    async def token_by_hash(self, secret_hash: bytes) -> Token | None:
        return Token("300000000000000001", ORG_ID, USER_ID, secret_hash, "", None, 1, 1, 1, 1)

    async def user_by_id(self, user_id: str) -> User | None:
        return User(USER_ID, ORG_ID, "someone", "", "", 1, 1, 1, 1)

    user_by_subject = user_by_id

    async def org_by_id(self, org_id: str) -> Org | None:
        return Org(org_id, "somewhere", 1, 1, 1, 1)

    async def memberships_of(self, user_id: str) -> Sequence[Member]:
        return [Member(f"{ORG_ID}:{USER_ID}", ORG_ID, USER_ID, ("ORG_OWNER",), 1, 1, 1, 1)]


class _Keys:
    def __init__(self, signer: Signer) -> None:
        self._key = IssuerKey(
            signer.key_id, signer.private.public_key(), frozenset({signer.algorithm})
        )

    async def find(self, key_id: str | None, algorithm: str) -> Found | None:
        return Found(self._key, time.time_ns() // 1000 + 3_600_000_000)


def _finished(coroutine: Coroutine[Any, Any, object]) -> object:
    """Returns the result of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stopped:
        return stopped.value
    raise WrongAnswer("authorization waits for something")


def _known(token: Callable[[Signer], str]) -> Callable[[], object]:
    signer = Signer()
    jwts = Jwts(_Keys(signer), issuer=ISSUER, audiences=[AUDIENCE])
    gate = Authorization(Authorizer(_Accounts(), jwts=jwts), {METHOD: PERMISSION})
    headers = {"content-type": "application/json", "authorization": f"Bearer {token(signer)}"}
    metadata = HttpMetadata(CIMultiDict(headers), request_id="id")
    admit: Any = gate.admit(METHOD)

    def call() -> object:
        info = CallInfo(metadata)  # as the chain makes it
        undecided = admit(info)
        if undecided is not None:
            _finished(undecided)
        return info.caller and info.caller.user_id

    if call() != USER_ID:
        raise WrongAnswer("authorization lets nobody pass, or somebody else")
    return call


def _jwt(signer: Signer) -> str:
    return signer.token(claims("someone", ISSUER))


AUTHORIZATIONS: Final = (
    Loop(
        "authorize-pat",
        "authorization, a personal access token",
        functools.partial(_known, lambda _: new_secret()),
    ),
    Loop("authorize-jwt", "authorization, a JWT seen before", functools.partial(_known, _jwt)),
)
