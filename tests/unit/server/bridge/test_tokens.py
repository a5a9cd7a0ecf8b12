"""Payloads that are JWTs: which are opened by a key, and which never."""

import json

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.utils import base64url_encode

from server.bridge.signature import BadSignature
from server.bridge.tokens import header_of, verified
from server.identity.jwks import parse_key_set
from tests.support.issuer import Signer
from tests.support.tables import cases
from tests.support.zitadel import as_jwt

PAYLOAD = b'{"function":"function/preuserinfo"}'
SIGNER = Signer("RS256", "one")
TOKEN = as_jwt(PAYLOAD, SIGNER)
ALL = "RS256, RS384, RS512, ES256, ES384, ES512, EdDSA"

# A key set and tokens by go-jose 4.0, which is what a ZITADEL signs with.
GO_KEYS = (
    '{"keys":[{"use":"sig","kty":"RSA","kid":"k-RS256","alg":"RS256","n":"xQfe04yzo7c35h7KIw1'
    "7Ol_JjprQr17XV2UGVLaw8rsriUwX5I4UT6HdsyxtktOZ4hBCGCS0wqPeVLyZoH7jrT4NdVFrxGpudDhBAM6ZKPe"
    "IgDmBPS60SSY-geX-1CKszwmZjOEl5OWUW6UJx8o7qljYxVaqy1aZ3RNF1L1212abF9h0SV1bq4T6Y9iyo2lfajN"
    "XgHdX6lPOJfPX0RQ1U9yg_i41kwzLnU_H9rET3d54b86igJyC6THb9mNWORtxDJ5ewU4HgEGu5ckP3eogQEin0At"
    '2jyaT5nnqfy1wFbkxG-4cTRbqhkgFCwktFwwXwpe5F1Hs8JQJw2V-dqNPWw","e":"AQAB"},{"use":"sig","k'
    'ty":"EC","kid":"k-ES256","crv":"P-256","alg":"ES256","x":"Sd-hO6bVBNElst6U7CA18lpwCYpzzn'
    'dxJCMq3nx5lus","y":"g2bCaM03xsn-XenKy3umtcWwTO0S8yu4SEOizBiql4g"},{"use":"sig","kty":"OK'
    'P","kid":"k-EdDSA","crv":"Ed25519","alg":"EdDSA","x":"lTdIZRfucqtvDUdW8FOUO2W90Nv6Db6I8Y'
    '2JYEvRN_0"}]}'
)
GO_TOKENS = {
    "ES256": (
        "eyJhbGciOiJFUzI1NiIsImtpZCI6ImstRVMyNTYifQ.eyJmdW5jdGlvbiI6ImZ1bmN0aW9uL3ByZXVzZXJpb"
        "mZvIn0.aDkuPScA3jnCmn1dECUdsTa8jjT17W6Icjo4cFYl92O-VicsdrlBDSSAc-97GLYY0_aT8jeGyohlV"
        "ZHYQB-Qpg"
    ),
    "EdDSA": (
        "eyJhbGciOiJFZERTQSIsImtpZCI6ImstRWREU0EifQ.eyJmdW5jdGlvbiI6ImZ1bmN0aW9uL3ByZXVzZXJpb"
        "mZvIn0.F-MOBC1_qDkymEH_7oZwcb2hZVw4IiPMsO0PuYoMJAqIIV9GodUE_r8On8sBHdpXAw7dqPT15Uhyg"
        "UnPv6ZVBQ"
    ),
    "RS256": (
        "eyJhbGciOiJSUzI1NiIsImtpZCI6ImstUlMyNTYifQ.eyJmdW5jdGlvbiI6ImZ1bmN0aW9uL3ByZXVzZXJpb"
        "mZvIn0.pv0qdP8tJ2gfxpxA5qWMDsPyDVeY59SIZByO41_PNy-crFtHBNEpyixMQCzhWjSPuKVkfR7VlnvlV"
        "1HBJtcFaTpHvVf07jyFMmvrnoaoQMRqixOJQsf4jERtpcSzKOrxp20SlR6EA-wTU-sTe3xI0qeqRu8nBzoTz"
        "zwOYNVRiFWqIXjyp5YOdIpBuI2dIqWb72xuF2kWypA5rtKw1VS9TqtleyBivl1W6MG_9uBnCNe7tg5_NJePi"
        "xG8Zsmudeke2mxLbplChi3ECrDzKwuUEV-bIGL0XakU4lCnovk1qE2v1dtGE2sS1AzYa-xnvCjJAyORXop4F"
        "8v6f1kJbNRaGQ"
    ),
}


def by_the_public_key(algorithm: str) -> bytes:
    """A JWT whose shared secret is the public key, which everybody knows."""
    pem = SIGNER.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = base64url_encode(json.dumps({"alg": algorithm, "kid": "one"}).encode())
    signed = head + b"." + base64url_encode(PAYLOAD)
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(signed, pem)
    return signed + b"." + base64url_encode(signature)


def unsigned(**header: object) -> bytes:
    head = base64url_encode(json.dumps(header).encode())
    return head + b"." + base64url_encode(PAYLOAD) + b"."


@cases(
    "signer",
    {
        algorithm: Signer(algorithm, "one")
        for algorithm in ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA")
    },
)
def test_a_payload_is_opened_by_the_key_that_signed_it(signer: Signer) -> None:
    token = as_jwt(PAYLOAD, signer)
    assert header_of(token) == ("one", signer.algorithm)
    public = signer.private.public_key()
    assert verified(token, public=public, algorithm=signer.algorithm) == PAYLOAD


@cases("token", GO_TOKENS)
def test_a_payload_is_opened_that_another_implementation_signed(token: str) -> None:
    key_id, algorithm = header_of(token.encode())
    key = parse_key_set(GO_KEYS.encode()).find(key_id, algorithm)
    assert key is not None
    assert verified(token.encode(), public=key.public, algorithm=algorithm) == PAYLOAD


def test_a_header_without_a_key_id_is_read() -> None:
    assert header_of(unsigned(alg="RS256")) == (None, "RS256")


@cases(
    "token, reason",
    {
        "nothing": (b"", "expected a JWT"),
        "JSON": (PAYLOAD, "expected a JWT"),
        "two parts": (b"e30.e30", "expected a JWT"),
        "a header that is a list": (base64url_encode(b"[]") + b".e30.e30", "expected a JWT"),
        "octets that are no text": (b"\xff.\xff.\xff", "expected a JWT"),
        "no algorithm": (unsigned(kid="one"), f"expected a JWT by one of {ALL}, got None"),
        "none": (unsigned(alg="none"), f"expected a JWT by one of {ALL}, got none"),
        "None": (unsigned(alg="None"), f"expected a JWT by one of {ALL}, got None"),
        "HS256 with the public key": (
            by_the_public_key("HS256"), f"expected a JWT by one of {ALL}, got HS256",
        ),
        "an algorithm that ZITADEL does not have": (
            as_jwt(PAYLOAD, Signer("PS256", "one")), f"expected a JWT by one of {ALL}, got PS256",
        ),
        "a long key id": (
            unsigned(alg="RS256", kid="x" * 257), "expected a key id of at most 256 characters",
        ),
    },
)  # fmt: skip
def test_a_header_that_finds_no_key_is_refused(token: bytes, reason: str) -> None:
    with pytest.raises(BadSignature) as refused:
        header_of(token)
    assert str(refused.value) == f"payload: {reason}"


@cases(
    "token",
    {
        "by another key": as_jwt(PAYLOAD, Signer("RS256", "two")),
        "by another algorithm": as_jwt(PAYLOAD, Signer("RS384", "one")),
        "unsigned": unsigned(alg="none", kid="one"),
        "by the public key": by_the_public_key("HS256"),
        "that says RS256 by the public key": by_the_public_key("RS256"),
        "without its signature": TOKEN[: TOKEN.rindex(b".") + 1],
        "of another payload": b".".join(
            [TOKEN.split(b".")[0], base64url_encode(b"{}"), TOKEN.split(b".")[2]]
        ),
        "with a critical extension": jwt.PyJWS()
        .encode(PAYLOAD, SIGNER.private, "RS256", headers={"crit": ["x"], "x": 1})
        .encode(),
    },
)
def test_a_payload_that_the_key_did_not_sign_is_refused(token: bytes) -> None:
    with pytest.raises(BadSignature) as refused:
        verified(token, public=SIGNER.private.public_key(), algorithm="RS256")
    assert str(refused.value) == "payload: not signed by a key of the issuer"
