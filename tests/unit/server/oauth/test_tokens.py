"""The token endpoint on a real store: grants, refusals, rates, and what its tokens are worth."""

import base64
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import jwt
import pytest
import structlog
from multidict import CIMultiDict

from server.commands.machine_keys import CreateKey, DeleteKey
from server.commands.orgs import AddMember, CreateOrg
from server.commands.removal import RemoveOrg
from server.commands.users import CreateUser, RemoveUser
from server.domain.machine_key import KeyKind
from server.domain.refusals import Refusal
from server.identity import signing as signing_module
from server.identity.access_tokens import AccessTokens
from server.identity.authorization import Authorizer
from server.identity.jwks import parse_key_set
from server.identity.key_pairs import new_key_pair
from server.identity.machine_logins import MachineLogins
from server.identity.signing import Signing
from server.identity.tokens import hash_of
from server.ids import IdGenerator
from server.oauth import tokens
from server.oauth.discovery import Discovery
from server.oauth.issuer import Issuer
from server.oauth.tokens import TokenEndpoint
from server.oauth.web import HttpAnswer
from server.store.engine import Store
from server.store.errors import StorageError
from server.store.opening import open_store
from tests.contract.stores import commit
from tests.support.clocks import NOON, SECOND, HandClock
from tests.support.machine_keys import assertion_of, bearer_form
from tests.support.tables import by_outcome, cases

ISSUER: Final = "https://actions.example"
NOW_S: Final = NOON // SECOND
PAIR, OTHER_PAIR = new_key_pair(), new_key_pair()
FILE: Final = PAIR.file_of(key_id="k1", user_id="ada")
SECRET: Final = "acs_" + "s" * 43
FORM: Final = "application/x-www-form-urlencoded"


@dataclass
class Request:
    body: bytes = b""
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict)
    peer: str = "ipv4:192.0.2.1:5000"
    request_id: str = "r1"


def request(
    form: Mapping[str, str] | bytes, *, peer: str = "ipv4:192.0.2.1:5000", **headers: str
) -> Request:
    body = form if isinstance(form, bytes) else urlencode(form).encode()
    given = {"Content-Type": FORM, "Host": "h", **headers}
    return Request(body, CIMultiDict(given), peer)


def signed(**changed: Any) -> dict[str, str]:
    return bearer_form(assertion_of(FILE, ISSUER, now_s=NOW_S, **changed))


@dataclass
class Service:
    store: Store
    clock: HandClock
    endpoint: TokenEndpoint
    discovery: Discovery
    authorizer: Authorizer

    async def asked(self, asked: Request) -> tuple[int, dict[str, Any], HttpAnswer]:
        answer = await self.endpoint.answer(asked)
        return answer.status, json.loads(answer.body), answer

    async def token(self, form: Mapping[str, str] | None = None) -> str:
        status, content, _ = await self.asked(request(form or signed()))
        assert (status, content["token_type"]) == (200, "Bearer")
        return str(content["access_token"])

    async def user_of(self, token: str) -> str:
        return (await self.authorizer.authorize(f"Bearer {token}", "", "org.action.read")).user_id


def service_on(store: Store, clock: HandClock, issuer: Issuer) -> Service:
    signing = Signing(store, clock=clock)
    access_tokens = AccessTokens(signing, clock=clock)
    logins = MachineLogins(store, clock=clock)
    return Service(
        store,
        clock,
        TokenEndpoint(logins, access_tokens, IdGenerator(1), issuer, clock=clock),
        Discovery(signing, issuer),
        Authorizer(store, own_tokens=access_tokens, clock=clock),
    )


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    clock = HandClock()
    store = await open_store(tmp_path, clock=clock)
    await commit(
        store,
        CreateOrg("o", "Acme", ""),
        CreateUser("o", "ada", "Ada", ""),
        AddMember("o", "ada", ("ORG_OWNER",), ""),
        CreateKey("o", "ada", "k1", KeyKind.JSON, PAIR.public, NOON + 7200 * SECOND, ""),
        CreateKey("o", "ada", "k2", KeyKind.CLIENT_SECRET, hash_of(SECRET), None, ""),
    )
    yield service_on(store, clock, Issuer(ISSUER, has_tls=False))
    await store.close()


def basic(client_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


CREDENTIALS: Final = {"grant_type": "client_credentials"}


@cases(
    "asked",
    {
        "an assertion": request(signed()),
        "for the endpoint": request(
            bearer_form(assertion_of(FILE, f"{ISSUER}/oauth/v2/token", now_s=NOW_S))
        ),
        "for several audiences": request(signed(aud=["other", ISSUER])),
        "a type": request(signed(headers={"typ": "JWT"})),
        "a clock that is ahead": request(signed(iat=NOW_S + 4, exp=NOW_S + 60)),
        "a form with a charset": request(signed(), **{"Content-Type": f"{FORM}; charset=utf-8"}),
        "a secret in the form": request(
            {**CREDENTIALS, "client_id": "ada", "client_secret": SECRET}
        ),
        "a secret in the header": request(CREDENTIALS, Authorization=basic("ada", SECRET)),
        "an escaped one": request(
            CREDENTIALS, Authorization=basic("%61da", SECRET.replace("_", "%5F"))
        ),
    },
)
async def test_a_proof_gets_a_token_of_its_user(service: Service, asked: Request) -> None:
    status, content, answer = await service.asked(asked)
    assert (status, content["token_type"], content["expires_in"]) == (200, "Bearer", 3600)
    assert answer.headers == (("Content-Type", "application/json"),)
    assert await service.user_of(content["access_token"]) == "ada"


@by_outcome(
    "asked, expected",
    {
        (400, "invalid_grant"): {
            "signed by another key": request(
                bearer_form(
                    assertion_of(
                        OTHER_PAIR.file_of(key_id="k1", user_id="ada"), ISSUER, now_s=NOW_S
                    )
                )
            ),
            "an unknown key": request(signed(headers={"kid": "404"})),
            "the key of a secret": request(signed(headers={"kid": "k2"})),
            "another algorithm": request(signed(algorithm="RS512")),
            "alg none": request(
                bearer_form(
                    jwt.encode({"iss": "ada", "sub": "ada"}, "", "none", headers={"kid": "k1"})
                )
            ),
            "another user": request(signed(iss="bob", sub="bob")),
            "another subject": request(signed(sub="bob")),
            "another audience": request(signed(aud="https://other.example")),
            "expired": request(signed(iat=NOW_S - 60, exp=NOW_S - 5)),
            "from the future": request(signed(iat=NOW_S + 6, exp=NOW_S + 60)),
            "not yet": request(signed(nbf=NOW_S + 60)),
            "for longer than an hour": request(signed(exp=NOW_S + 3601)),
            "no exp": request(signed(exp=None)),
            "no iat": request(signed(iat=None)),
            "times without end": request(signed(exp=10**400)),
            "no token": request(bearer_form("x.y")),
            "too long": request(bearer_form("x" * 9000)),
        },
        (401, "invalid_client"): {
            "no credentials": request(CREDENTIALS),
            "a wrong secret": request(CREDENTIALS, Authorization=basic("ada", "acs_x")),
            "the secret of another": request(CREDENTIALS, Authorization=basic("bob", SECRET)),
            "no base64": request(CREDENTIALS, Authorization="Basic \u00fc"),
            "no UTF-8": request(CREDENTIALS, Authorization="Basic /w=="),
            "another scheme": request(CREDENTIALS, Authorization="Bearer x"),
        },
        (400, "invalid_request"): {
            "no grant type": request({}),
            "no assertion": request({"grant_type": bearer_form("")["grant_type"]}),
            "another content type": request(signed(), **{"Content-Type": "application/json"}),
            "a field twice": request(urlencode([*signed().items()] * 2).encode()),
            "no UTF-8 in the form": request(b"grant_type=\xff"),
            "an escape that is no UTF-8": request(b"grant_type=%ff"),
            "many fields": request(b"&".join(b"f%d=1" % number for number in range(99))),
            "credentials twice": request(
                {**CREDENTIALS, "client_id": "ada", "client_secret": SECRET},
                Authorization=basic("ada", SECRET),
            ),
        },
        (400, "unsupported_grant_type"): {
            "a password": request({"grant_type": "password", "username": "ada"}),
        },
    },
)
async def test_a_refusal_is_that_of_the_rfc(
    service: Service, asked: Request, expected: tuple[int, str]
) -> None:
    with structlog.testing.capture_logs() as lines:
        status, content, answer = await service.asked(asked)
    assert (status, content["error"]) == expected
    assert set(content) == {"error", "error_description"}
    assert ("WWW-Authenticate" in dict(answer.headers)) == (status == 401)
    (line,) = lines
    assert (line["event"], line["error"]) == ("access token refused", expected[1])
    assert SECRET not in str(line)


async def test_a_key_that_expires_ends_its_tokens(service: Service) -> None:
    service.clock.now = NOON + 7000 * SECOND
    now_s = NOW_S + 7000
    form = bearer_form(assertion_of(FILE, ISSUER, now_s=now_s))
    status, content, _ = await service.asked(request(form))
    assert (status, content["expires_in"]) == (200, 200)
    service.clock.now = NOON + 7200 * SECOND
    with pytest.raises(Refusal):
        await service.user_of(content["access_token"])
    status, content, _ = await service.asked(request(form))
    assert (status, content["error"]) == (400, "invalid_grant")


@cases(
    "end",
    {
        "the key": DeleteKey("k1", ""),
        "the user": RemoveUser("ada", None, ""),
        "the organisation": RemoveOrg("o", None, ""),
    },
)
async def test_what_ends_a_key_ends_its_tokens(service: Service, end: Any) -> None:
    token = await service.token()
    assert await service.user_of(token) == "ada"
    await commit(service.store, end)
    service.authorizer.forget(await service.store.events())
    with pytest.raises(Refusal):
        await service.user_of(token)
    status, content, _ = await service.asked(request(signed()))
    assert (status, content["error"]) == (400, "invalid_grant")


async def test_a_token_is_refused_once_it_expires(service: Service) -> None:
    token = await service.token()
    service.clock.now += 3599 * SECOND
    assert await service.user_of(token) == "ada"
    service.clock.now += SECOND
    with pytest.raises(Refusal):
        await service.user_of(token)


async def test_a_token_that_was_changed_is_refused(service: Service) -> None:
    head, claims, signature = (await service.token()).split(".")
    other = (
        await service.token({**CREDENTIALS, "client_id": "ada", "client_secret": SECRET})
    ).split(".")[1]
    for token in (f"{head}.{other}.{signature}", f"{head}.{claims}.{'A' * len(signature)}"):
        with pytest.raises(Refusal):
            await service.user_of(token)


async def test_another_process_verifies_and_publishes_all_keys(service: Service) -> None:
    token = await service.token()
    elsewhere = service_on(service.store, service.clock, Issuer(ISSUER, has_tls=False))
    assert await elsewhere.user_of(token) == "ada"
    await elsewhere.token()
    answer = await elsewhere.discovery.keys(request({}))
    kids = [key["kid"] for key in json.loads(answer.body)["keys"]]
    assert jwt.get_unverified_header(token)["kid"] in kids
    assert len(kids) == 2
    assert all("d" not in key for key in json.loads(answer.body)["keys"])


async def test_published_keys_verify_tokens_as_any_issuers_do(service: Service) -> None:
    token = await service.token()
    keys = parse_key_set((await service.discovery.keys(request({}))).body)
    found = keys.find(jwt.get_unverified_header(token)["kid"], "ES256")
    assert found is not None
    options: Any = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(
        token, found.public, algorithms=["ES256"], audience=ISSUER, issuer=ISSUER, options=options
    )
    assert (claims["sub"], claims["client_id"], claims["exp"]) == ("ada", "k1", NOW_S + 3600)


async def test_a_key_signs_for_a_day_and_verifies_until_its_last_token_ends(
    service: Service,
) -> None:
    form = {**CREDENTIALS, "client_id": "ada", "client_secret": SECRET}
    kids = set()
    for hours in range(0, 49, 6):
        service.clock.now = NOON + hours * 3600 * SECOND
        token = await service.token(form)
        assert await service.user_of(token) == "ada"
        kids.add(jwt.get_unverified_header(token)["kid"])
    assert len(kids) == 3
    answer = await service.discovery.keys(request({}))
    assert len(json.loads(answer.body)["keys"]) == 2
    assert signing_module.ROTATION_S == 86_400


async def test_one_address_cannot_ask_without_end(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "CLIENT_BURST", 3)
    limited = service_on(service.store, service.clock, Issuer(ISSUER, has_tls=False))
    peers = ["ipv4:192.0.2.1:1", "ipv4:192.0.2.1:2", "ipv4:192.0.2.1:3", "ipv4:192.0.2.1:4"]
    asked = [await limited.asked(request({}, peer=peer)) for peer in peers]
    assert [status for status, _, _ in asked] == [400, 400, 400, 429]
    assert asked[3][1]["error"] == "temporarily_unavailable"
    assert ("Retry-After", "1") in asked[3][2].headers
    networks = [f"ipv6:[2001:db8::{last}]:1" for last in range(1, 5)]
    asked = [await limited.asked(request({}, peer=peer)) for peer in networks]
    assert [status for status, _, _ in asked] == [400, 400, 400, 429]
    assert (await limited.asked(request({}, peer="ipv4:192.0.2.2:1")))[0] == 400


async def test_one_user_cannot_have_tokens_without_end(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "USER_BURST", 2)
    limited = service_on(service.store, service.clock, Issuer(ISSUER, has_tls=False))
    refused = [await limited.asked(request(signed(aud="x"))) for _ in range(5)]
    assert {status for status, _, _ in refused} == {400}
    asked = [await limited.asked(request(signed())) for _ in range(3)]
    assert [status for status, _, _ in asked] == [200, 200, 429]


async def test_a_store_that_fails_is_told_as_such(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise StorageError("no room")

    monkeypatch.setattr(service.store, "publish_signing_key", fail)
    status, content, _ = await service.asked(request(signed()))
    assert (status, content["error"]) == (503, "temporarily_unavailable")
    assert "room" not in str(content)
    monkeypatch.setattr(service.store, "read", fail)
    assert (await service.discovery.keys(request({}))).status == 503


async def test_nobody_logs_in(service: Service) -> None:
    answer = await service.discovery.authorize(request({}))
    error = json.loads(answer.body)["error"]
    assert (answer.status, error) == (400, "unsupported_response_type")


@cases(
    "issuer, host, expected",
    {
        "a URL that is set": (Issuer(ISSUER, has_tls=False), "h", ISSUER),
        "the host of the request": (
            Issuer("", has_tls=False),
            "H.example:80",
            "http://h.example:80",
        ),
        "by TLS": (Issuer("", has_tls=True), "[::1]:8080", "https://[::1]:8080"),
        "no host": (Issuer("", has_tls=False), "", None),
        "a host that is none": (Issuer("", has_tls=False), "a/b", None),
    },
)
async def test_the_metadata_name_the_issuer(
    service: Service, issuer: Issuer, host: str, expected: str | None
) -> None:
    served = service_on(service.store, service.clock, issuer)
    answer = await served.discovery.metadata(request({}, Host=host))
    content = json.loads(answer.body)
    if expected is None:
        assert (answer.status, content["error"]) == (400, "invalid_request")
        assert (await served.asked(request(signed(), Host=host)))[0] == 400
    else:
        assert (content["issuer"], content["token_endpoint"], content["jwks_uri"]) == (
            expected,
            f"{expected}/oauth/v2/token",
            f"{expected}/oauth/v2/keys",
        )
