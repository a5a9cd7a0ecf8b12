"""JWTs while their issuer is down, slow, wrong or changes its keys, over each protocol.

The service in this process, so that it does not wait as long as it does in earnest.
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Final

import pytest

from server.identity import issuer_keys, jwks_fetch
from tests.support.accounts import Accounts
from tests.support.api_client import GRPC, JSON, PROTOCOLS, Answer, ApiClient
from tests.support.api_rows import refusal
from tests.support.composition import running
from tests.support.issuer import (
    AUDIENCE,
    DISCOVERY_PATH,
    KEYS_PATH,
    Issuer,
    Signer,
    answering,
    endless,
    key_set,
)
from tests.support.issuer import Answer as IssuerAnswer
from tests.support.tables import cases
from zitadel import management_pb2 as pb

WRITE: Final = pb.CreateActionRequest(name="greet", script="s")
LATER: Final = (
    14,
    "the token cannot be verified now: its issuer's keys are unavailable, try again",
    (),
)
INVALID: Final = refusal(16, "Errors.Token.Invalid", "AUTH-7fs1e")
ADA: Final = "ada"
FIRST: Final = Signer("ES256", "first")
SECOND: Final = Signer("ES256", "second")


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer(FIRST) as running:
        yield running


class Service:
    """The service, an owner with a token, and a user with a subject of the issuer's."""

    def __init__(self, api: ApiClient, owner: str, issuer: Issuer) -> None:
        self.api = api
        self.owner = owner
        self.issuer = issuer

    async def create(self, protocol: str, signer: Signer) -> Answer:
        token = signer.token(self.issuer.claims(ADA))
        return await self.api.call(protocol, WRITE, token=token)

    async def total(self) -> int:
        answer = await self.api.call(GRPC, pb.ListActionsRequest(), token=self.owner)
        return int(answer.response.details.total_result)


@contextlib.asynccontextmanager
async def serving(data: Path, issuer: Issuer, *, jwks_url: str = "") -> AsyncIterator[Service]:
    jwt = {"jwt_issuer": issuer.url, "jwt_audience": (AUDIENCE,), "jwt_jwks_url": jwks_url}
    async with running(data, **jwt) as started:
        assert started.owner is not None
        await Accounts(data).user(started.owner.org_id, "ORG_OWNER", subject=ADA)
        async with ApiClient(http=started.listen, grpc=started.grpc_listen) as api:
            yield Service(api, started.owner.token, issuer)


def silent(_: BaseHTTPRequestHandler) -> None:
    threading.Event().wait(3)


@cases(
    "path, given",
    {
        "down": (KEYS_PATH, answering({}, status=503)),
        "slow": (KEYS_PATH, silent),
        "huge": (KEYS_PATH, endless),
        "not JSON": (KEYS_PATH, answering(b"<html>")),
        "no keys": (KEYS_PATH, answering({"keys": []})),
        "wrong keys": (KEYS_PATH, answering({"keys": [{"kty": "oct", "k": "AA"}]})),
        "a redirect loop": (
            KEYS_PATH,
            answering(key_set(FIRST), status=302, headers=[("Location", KEYS_PATH)]),
        ),
        "discovery absent": (DISCOVERY_PATH, answering({}, status=404)),
        "discovery of another issuer": (
            DISCOVERY_PATH,
            answering({"issuer": "http://else", "jwks_uri": "https://else"}),
        ),
    },
)
async def test_a_jwt_is_refused_as_unavailable_without_the_issuers_keys(
    tmp_path: Path,
    issuer: Issuer,
    path: str,
    given: IssuerAnswer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if given is silent:
        monkeypatch.setattr(jwks_fetch, "FETCH_TIMEOUT_S", 2)
    monkeypatch.setattr(issuer_keys, "INTERVAL_S", 600)
    issuer.answers[path] = given
    async with serving(tmp_path / "data", issuer) as service:
        for protocol in PROTOCOLS:
            answer = await service.create(protocol, FIRST)
            assert answer.refusal == LATER
            assert answer.http_status == (503 if protocol == JSON else answer.http_status)
        assert await service.total() == 0
        assert issuer.asked.count(path) == 1


async def test_a_jwt_is_good_again_once_its_issuer_is(
    tmp_path: Path, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer_keys, "INTERVAL_S", 0)
    good, issuer.answers[KEYS_PATH] = issuer.answers[KEYS_PATH], answering({}, status=503)
    async with serving(tmp_path / "data", issuer) as service:
        assert (await service.create(GRPC, FIRST)).refusal == LATER
        issuer.answers[KEYS_PATH] = good
        assert (await service.create(GRPC, FIRST)).code == 0


async def test_keys_rotate(
    tmp_path: Path, issuer: Issuer, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer_keys, "INTERVAL_S", 0)
    read = pb.ListActionsRequest()
    async with serving(tmp_path / "data", issuer, jwks_url=issuer.keys_url) as service:
        first, second = (s.token(issuer.claims(ADA)) for s in (FIRST, SECOND))
        assert (await service.api.call(protocol, read, token=first)).code == 0
        assert (await service.api.call(protocol, read, token=second)).refusal == INVALID
        issuer.answers[KEYS_PATH] = answering(key_set(SECOND))
        assert (await service.api.call(protocol, read, token=second)).code == 0
        again = FIRST.token(issuer.claims(ADA, jti="another"))
        assert (await service.api.call(protocol, read, token=again)).refusal == INVALID
        issuer.answers[KEYS_PATH] = answering({}, status=503)
        once_more = SECOND.token(issuer.claims(ADA, jti="another"))
        assert (await service.api.call(protocol, read, token=once_more)).code == 0
        assert (await service.api.call(protocol, read, token=again)).refusal == LATER
        assert DISCOVERY_PATH not in issuer.asked


async def test_a_slow_issuer_delays_no_caller_whose_key_is_known(
    tmp_path: Path, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer_keys, "INTERVAL_S", 0)
    asked, released = threading.Event(), threading.Event()

    def waiting(request: BaseHTTPRequestHandler) -> None:
        asked.set()
        released.wait(30)
        answering(key_set(FIRST, SECOND))(request)

    async with serving(tmp_path / "data", issuer) as service, contextlib.AsyncExitStack() as ended:
        ended.callback(released.set)
        assert (await service.create(GRPC, FIRST)).code == 0
        issuer.answers[KEYS_PATH] = waiting
        late = asyncio.create_task(service.create(JSON, SECOND))
        assert await asyncio.to_thread(asked.wait, 30)
        known = FIRST.token(issuer.claims(ADA, jti="another"))
        read = pb.ListActionsRequest()
        assert (await service.api.call(GRPC, read, token=known)).code == 0
        assert (await service.api.call(GRPC, read, token=service.owner)).code == 0
        assert not late.done()
        released.set()
        assert (await late).refusal[0] == 6  # its name is taken by the action of the first
