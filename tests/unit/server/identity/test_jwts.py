"""JWT access tokens: which are good, and whom they speak for. Signed for real, by PyJWT."""

import base64
import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from server.domain.refusals import Kind, Refusal
from server.identity.issuer_keys import Found
from server.identity.jwks import parse_key_set
from server.identity.jwts import LEEWAY_S, TOKEN_MAX_CHARS, BadToken, Jwts
from tests.support.issuer import ALGORITHMS, Signer, key_set
from tests.support.tables import by_outcome

ISSUER = "https://issuer.example"
SECOND = 1_000_000
NOW = 1_700_000_000
HOUR = 3600 * SECOND
RSA, EC = Signer("RS256", "rsa"), Signer("ES256", "ec")
STRANGER = Signer("RS256", "stranger")


class Keys:
    """All keys of the issuer, known for an hour; how often one was asked for."""

    def __init__(self, *signers: Signer) -> None:
        self.now = NOW * SECOND
        self.asked = 0
        self.is_down = False
        self._keys = parse_key_set(json.dumps(key_set(*signers)).encode())

    def clock(self) -> int:
        return self.now

    async def find(self, key_id: str | None, algorithm: str) -> Found | None:
        self.asked += 1
        if self.is_down:
            raise Refusal(Kind.UNAVAILABLE, "later")
        key = self._keys.find(key_id, algorithm)
        return None if key is None else Found(key, self.now + HOUR)


@pytest.fixture
def keys() -> Keys:
    return Keys(RSA, EC)


@pytest.fixture
def jwts(keys: Keys) -> Jwts:
    return made(keys)


def made(keys: Keys, *, verified_max: int = 100) -> Jwts:
    return Jwts(
        keys,
        issuer=ISSUER,
        audiences=("actions", "other"),
        clock=keys.clock,
        verified_max=verified_max,
    )


def claims(**members: object) -> dict[str, object]:
    usual = {"iss": ISSUER, "sub": "ada", "aud": "actions", "iat": NOW, "exp": NOW + 600}
    return {name: value for name, value in {**usual, **members}.items() if value is not None}


def part(value: object) -> str:
    """A part of a JWT: bytes as they are, else JSON."""
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def signed(header: object, payload: object, signer: Signer = RSA) -> str:
    """A JWT of any header and any payload, signed by RS256 whatever the header says."""
    text = f"{part(header)}.{part(payload)}"
    return f"{text}.{part(signer.private.sign(text.encode(), PKCS1v15(), SHA256()))}"


def hmac_signed(header: object, secret: bytes) -> str:
    text = f"{part(header)}.{part(claims())}"
    return f"{text}.{part(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def public_pem() -> bytes:
    pem: bytes = RSA.private.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    return pem


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_token_of_the_issuer_speaks_for_its_subject(algorithm: str) -> None:
    signer = Signer(algorithm, "key")
    jwts = made(Keys(signer))
    assert await jwts.verify(signer.token(claims())) == ("ada", (NOW + 600 + LEEWAY_S) * SECOND)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(RSA.token(claims(aud=["else", "other"])), id="one of many audiences"),
        pytest.param(RSA.token(claims(exp=NOW - LEEWAY_S + 1)), id="expired within the leeway"),
        pytest.param(RSA.token(claims(iat=NOW + LEEWAY_S)), id="issued ahead within the leeway"),
        pytest.param(RSA.token(claims(nbf=NOW + LEEWAY_S)), id="begins within the leeway"),
        pytest.param(RSA.token(claims(exp=NOW + 0.5, iat=None)), id="ends between two seconds"),
        pytest.param(RSA.token(claims(exp=2**62)), id="ends when the sun does"),
        pytest.param(RSA.token(claims(roles=["x"], scope={"a": 1})), id="claims that are not ours"),
        pytest.param(RSA.token(claims(), header={"typ": "at+JWT"}), id="the type of access tokens"),
        pytest.param(RSA.token(claims(), header={"typ": None}), id="no type"),
        pytest.param(EC.token(claims(), header={"kid": None}), id="no key id, one key fits"),
    ],
)
async def test_a_token_is_good(jwts: Jwts, token: str) -> None:
    assert (await jwts.verify(token)).subject == "ada"


HEADER = {"alg": "RS256", "kid": "rsa"}
SHAPE = f"expected three parts of base64url in {TOKEN_MAX_CHARS} characters"
CLAIMS = "expected the claims iss, sub, aud and exp"
KIND = "expected the header of an access token"
UNKNOWN = "the issuer has no such key"
FORGED = "its signature does not match the issuer's key"
PARTS = RSA.token(claims()).split(".")


REFUSED: dict[str, dict[str, str]] = {
    SHAPE: {
        "nothing": "",
        "one part": "garbage",
        "two parts": "a.b",
        "four parts": "a.b.c.d",
        "encrypted": "a.b.c.d.e",
        "three empty parts": "..",
        "a line break": "a.b.c\n",
        "no ASCII": "é.b.c",
        "no text": "\udc80.b.c",
        "oversized": "a." + "b" * TOKEN_MAX_CHARS + ".c",
        "no base64": "!!.b.c",
        "padding": f"{'.'.join(PARTS)}=",
        "what decoders pass over": f"{'.'.join(PARTS[:2])}.!{PARTS[2]}",
        "no signature": ".".join((*PARTS[:2], "")),
        "alg none": f"{part({'alg': 'none'})}.{part(claims())}.",
        "detached payload": signed({**HEADER, "b64": False, "crit": ["b64"]}, b""),
    },
    "it cannot be decoded": {
        "three letters": "a.b.c",
        "a list for a header": signed([], claims()),
        "a header nested too deep": signed(b"[" * 5000, {}),
        "an id that is no text": signed({"alg": "RS256", "kid": 1}, claims()),
        "critical and unknown": signed({**HEADER, "crit": ["x"], "x": 1}, claims()),
    },
    KIND: {
        "an empty header": signed({}, claims()),
        "alg that is no text": signed({**HEADER, "alg": 1}, claims()),
        "a logout token": RSA.token(claims(), header={"typ": "logout+jwt"}),
        "a list for a type": signed({**HEADER, "typ": ["JWT"]}, claims()),
    },
    FORGED: {
        "a header that was not signed": ".".join((part(HEADER), *PARTS[1:])),
        "another subject": ".".join((PARTS[0], part(claims(sub="eve")), PARTS[2])),
        "a signature of zeros": ".".join((*PARTS[:2], part(b"\0" * 256))),
        "HMAC with the public key, said to be RS256": hmac_signed(
            {"alg": "RS256", "kid": "rsa"}, public_pem()
        ),
        "said to be PS256": signed({**HEADER, "alg": "PS256"}, claims()),
        "a stranger's, our key id": STRANGER.token(claims(), header={"kid": "rsa"}),
        "a key that the token brings": STRANGER.token(
            claims(), header={"kid": "rsa", "jwk": STRANGER.jwk()}
        ),
        "a key that the token says where to find": STRANGER.token(
            claims(), header={"kid": "rsa", "jku": "http://127.0.0.1:1/", "x5u": "http://x/"}
        ),
    },
    UNKNOWN: {
        "alg none, kid": f"{part({'alg': 'none', 'kid': 'rsa'})}.{part(claims())}.AAAA",
        "alg NonE": f"{part({'alg': 'NonE', 'kid': 'rsa'})}.{part(claims())}.AAAA",
        "HS256 with the public key": hmac_signed({"alg": "HS256", "kid": "rsa"}, public_pem()),
        "HS256 with an empty secret": hmac_signed({"alg": "HS256"}, b""),
        "of another key": signed({**HEADER, "alg": "ES256"}, claims()),
        "a stranger's key": STRANGER.token(claims()),
        "a path for an id": RSA.token(claims(), header={"kid": "../../dev/null"}),
        "a condition for an id": RSA.token(claims(), header={"kid": "' OR 1=1"}),
        "an empty id": RSA.token(claims(), header={"kid": ""}),
    },
    "expected a key id of at most 256 characters": {
        "a huge id": RSA.token(claims(), header={"kid": "k" * 257})
    },
    "its issuer is another one": {
        "issuer with a slash more": RSA.token(claims(iss="https://issuer.example/")),
        "another issuer": RSA.token(claims(iss="x")),
    },
    "its audience is another one": {
        "audience": RSA.token(claims(aud="x")),
        "no audience": RSA.token(claims(aud=[])),
        "space": RSA.token(claims(aud="actions ")),
    },
    "it is expired": {
        "expired": RSA.token(claims(exp=NOW - LEEWAY_S)),
        "expired in 1970": RSA.token(claims(exp=0)),
        "expired long before": RSA.token(claims(exp=-1e300)),
    },
    "it is not valid yet": {
        "not begun": RSA.token(claims(nbf=NOW + LEEWAY_S + 1)),
        "issued ahead": RSA.token(claims(iat=NOW + LEEWAY_S + 1)),
    },
    "it has no subject": {"an empty subject": RSA.token(claims(sub=""))},
    CLAIMS: {
        **{
            f"no {name}": signed(HEADER, claims(**{name: None}))
            for name in ("iss", "sub", "aud", "exp")
        },
        **{
            f"{name} {value!r}": signed(HEADER, {**claims(), name: value})
            for name, values in {
                "iss": ([ISSUER], 1, None),
                "sub": (1, None, ["ada"]),
                "aud": ({"actions": 1}, [1], 1),
                "exp": (str(NOW + 600), True, None, [NOW]),
                "nbf": ("0", None),
                "iat": ("0", False),
            }.items()
            for value in values
        },
        "exp that is no number of JSON's": signed(
            HEADER, json.dumps(claims()).replace(str(NOW + 600), "1e999").encode()
        ),
        "exp Infinity": signed(
            HEADER, json.dumps(claims()).replace(str(NOW + 600), "Infinity").encode()
        ),
        "a list for claims": signed(HEADER, []),
        "no JSON": signed(HEADER, b"text"),
        "no UTF-8": signed(HEADER, b"\xff"),
        "claims nested too deep": signed(HEADER, b'{"x":' + b"[" * 5000),
    },
}


@by_outcome("token, reason", REFUSED)
async def test_a_token_is_refused(jwts: Jwts, token: str, reason: str) -> None:
    with pytest.raises(BadToken) as caught:
        await jwts.verify(token)
    assert str(caught.value) == reason


async def test_a_token_with_any_letter_changed_is_refused(jwts: Jwts) -> None:
    token = EC.token(claims())
    # The last letter has bits that no byte is made of.
    for place, letter in enumerate(token[:-1]):
        changed = token[:place] + ("A" if letter != "A" else "B") + token[place + 1 :]
        with pytest.raises(BadToken):
            await jwts.verify(changed)
    assert (await jwts.verify(token)).subject == "ada"


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=60) | st.from_regex(r"[\w-]*\.[\w-]*\.[\w-]*", fullmatch=True))
async def test_any_text_is_a_bad_token(text: str) -> None:
    with pytest.raises(BadToken):
        await made(Keys(EC)).verify(text)


ODD_JSON = [
    *(b"1" * 400, b"-" + b"9" * 400, b"1" * 5000),
    *(b"1e999", b"-1e999", b"1e308", b"1E400", b"0.1e-999"),
    *(b"NaN", b"Infinity", b"-Infinity", b"-0", b"-1", b"0", b"1.5", b"9007199254740993"),
    *(b"true", b"false", b"null", b'""', b'"1700000600"', b"[]", b"{}", b"[1700000600]"),
    *(b"[" * 5000, b'{"a":' * 1000, b"[" * 5000 + b"]" * 500, b'"\xff"', b'"\xed\xa0\x80"'),
    *(b'"\\ud800"', b'"\\u0000"', b'"\\x"', b'"' + b"x" * 5000 + b'"', b"", b"}", b'"RS256"'),
]
"""Values of JSON, or almost, that parsers, databases and arithmetic stumble over."""


def odd(members: dict[str, object], name: str, value: bytes) -> bytes:
    """An object with one member replaced, or one more."""
    rest = {key: member for key, member in members.items() if key != name}
    return json.dumps(rest).encode()[:-1] + b', "%s": %s}' % (name.encode(), value)


async def answered(jwts: Jwts, token: str) -> None:
    """Have a token verified, or refused; anything else is a fault."""
    try:
        await jwts.verify(token)
    except BadToken:
        return


@pytest.mark.parametrize("value", ODD_JSON, ids=lambda value: value[:20].decode("latin-1"))
async def test_odd_values_of_a_claim_or_a_header_field_are_no_fault(
    jwts: Jwts, value: bytes
) -> None:
    for name in ("iss", "sub", "aud", "exp", "nbf", "iat", "jti", "x"):
        await answered(jwts, signed(HEADER, odd(claims(), name, value)))
    for name in ("alg", "kid", "typ", "cty", "crit", "b64", "jwk", "x5c", "x"):
        await answered(jwts, signed(odd({**HEADER}, name, value), claims()))
    await answered(jwts, signed(HEADER, value))
    await answered(jwts, signed(value, claims()))


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", [b"1" * 400, b"-" + b"1" * 400, b"1" * 4000, b"1e999"])
async def test_a_time_beyond_all_numbers_is_refused(jwts: Jwts, name: str, value: bytes) -> None:
    with pytest.raises(BadToken, match=CLAIMS):
        await jwts.verify(signed(HEADER, odd(claims(), name, value)))


@pytest.mark.parametrize(
    "header",
    [b"[" * 5000, b'{"x":' * 1000, odd({**HEADER}, "x", b"[" * 4000), b'"\xff"', b"1" * 5000],
)
async def test_a_header_that_parsers_stumble_over_is_refused(jwts: Jwts, header: bytes) -> None:
    with pytest.raises(BadToken):
        await jwts.verify(signed(header, claims()))


_SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
_VALUE = st.recursive(
    _SCALAR,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(deadline=None, derandomize=True)
@given(
    st.dictionaries(st.sampled_from(["iss", "sub", "aud", "exp", "nbf", "iat"]), _VALUE),
    st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64"]), _VALUE),
)
async def test_any_claims_and_any_header_are_no_fault(
    changed: dict[str, object], fields: dict[str, object]
) -> None:
    jwts = made(Keys(RSA))
    await answered(jwts, signed(HEADER, {**claims(), **changed}))
    await answered(jwts, signed({**HEADER, **fields}, claims()))


@pytest.mark.parametrize(
    "token", ["garbage", "a." + "b" * TOKEN_MAX_CHARS + ".c", "!!.b.c", signed({}, claims())]
)
async def test_an_invalid_token_causes_no_look_up_of_a_key(
    jwts: Jwts, keys: Keys, token: str
) -> None:
    with pytest.raises(BadToken):
        await jwts.verify(token)
    assert keys.asked == 0


async def test_a_good_token_is_verified_once_until_it_ends(jwts: Jwts, keys: Keys) -> None:
    token = RSA.token(claims())
    first = await jwts.verify(token)
    keys.now = (NOW + 600 + LEEWAY_S) * SECOND - 1
    assert await jwts.verify(token) == first
    assert keys.asked == 1
    keys.now += 1
    with pytest.raises(BadToken, match="it is expired"):
        await jwts.verify(token)


async def test_a_good_token_is_verified_again_after_the_clock_was_set(
    jwts: Jwts, keys: Keys
) -> None:
    token = RSA.token(claims())
    await jwts.verify(token)
    jwts.forget_all()
    await jwts.verify(token)
    assert keys.asked == 2


async def test_a_good_token_is_verified_again_when_its_key_may_be_gone(
    jwts: Jwts, keys: Keys
) -> None:
    token = RSA.token(claims(exp=NOW + 86_400))
    assert (await jwts.verify(token)).until == NOW * SECOND + HOUR
    keys.now += HOUR
    await jwts.verify(token)
    assert keys.asked == 2


async def test_a_refused_token_is_not_remembered(jwts: Jwts, keys: Keys) -> None:
    token = RSA.token(claims(nbf=NOW + 60))
    with pytest.raises(BadToken):
        await jwts.verify(token)
    keys.now += 60 * SECOND
    assert (await jwts.verify(token)).subject == "ada"


async def test_the_oldest_is_dropped_when_memory_is_full(keys: Keys) -> None:
    jwts = made(keys, verified_max=2)
    tokens = [RSA.token(claims(sub=subject)) for subject in "abc"]
    for token in tokens:
        await jwts.verify(token)
    await jwts.verify(tokens[2])
    assert keys.asked == 3
    await jwts.verify(tokens[0])
    assert keys.asked == 4


async def test_without_keys_a_token_is_neither_good_nor_bad(jwts: Jwts, keys: Keys) -> None:
    keys.is_down = True
    with pytest.raises(Refusal) as caught:
        await jwts.verify(RSA.token(claims()))
    assert caught.value.kind is Kind.UNAVAILABLE
