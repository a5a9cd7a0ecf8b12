"""Key sets: which keys are taken, which algorithms each verifies, how a token names one."""

import json

import pytest

from server.identity.jwks import KEYS_MAX, KeySet, NoKeys, parse_key_set
from tests.support.issuer import ALGORITHMS, Signer

RSA, EC, ED = Signer("RS256", "rsa"), Signer("ES256", "ec"), Signer("EdDSA", "ed")
RSA_ALGORITHMS = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}


def keys_of(*jwks: object) -> KeySet:
    return parse_key_set(json.dumps({"keys": jwks, "more": [1]}).encode())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_is_found_by_its_id_and_what_it_signs_by(algorithm: str) -> None:
    signer = Signer(algorithm, "key")
    key = keys_of(RSA.jwk(), signer.jwk()).find("key", algorithm)
    assert key is not None
    assert key.public == signer.private.public_key()


@pytest.mark.parametrize(
    ("signer", "algorithms"),
    [
        pytest.param(RSA, RSA_ALGORITHMS, id="RSA"),
        pytest.param(EC, {"ES256"}, id="P-256"),
        pytest.param(Signer("ES384"), {"ES384"}, id="P-384"),
        pytest.param(Signer("ES512"), {"ES512"}, id="P-521"),
        pytest.param(ED, {"EdDSA"}, id="Ed25519"),
        pytest.param(Signer("EdDSA", "448", kind="Ed448"), {"EdDSA"}, id="Ed448"),
    ],
)
def test_a_key_verifies_what_keys_of_its_kind_do(signer: Signer, algorithms: set[str]) -> None:
    keys = keys_of(signer.jwk())
    found = {
        algorithm
        for algorithm in (*ALGORITHMS, "none", "HS256", "HS384", "HS512", "ES256K", "")
        if keys.find(signer.key_id, algorithm)
    }
    assert found == algorithms


def test_a_key_that_names_an_algorithm_verifies_no_other() -> None:
    keys = keys_of(RSA.jwk(alg="PS256"))
    assert keys.find("rsa", "PS256") is not None
    assert keys.find("rsa", "RS256") is None


def test_a_token_without_key_id_is_verified_by_the_only_key_that_fits() -> None:
    keys = keys_of(RSA.jwk(kid=None), EC.jwk())
    assert keys.find(None, "ES256") is not None
    assert keys.find(None, "RS256") is not None
    assert keys_of(RSA.jwk(), Signer("RS256", "two").jwk()).find(None, "RS256") is None


def test_a_key_without_id_is_not_that_of_a_token_that_names_one() -> None:
    assert keys_of(RSA.jwk(kid=None)).find("rsa", "RS256") is None


def test_two_keys_of_one_id_are_distinguished_by_algorithm_alone() -> None:
    keys = keys_of(RSA.jwk(kid="k"), EC.jwk(kid="k"))
    assert keys.find("k", "ES256") is not None
    twice = keys_of(RSA.jwk(kid="k"), Signer("RS256", "two").jwk(kid="k"))
    assert twice.find("k", "RS256") is None


def test_the_public_half_of_a_private_key_is_read() -> None:
    jwk = {**EC.jwk(), "d": "x" * 43}
    key = keys_of(jwk).find("ec", "ES256")
    assert key is not None
    assert key.public == EC.private.public_key()


@pytest.mark.parametrize(
    "jwk",
    [
        pytest.param(RSA.jwk(use="enc"), id="for encryption"),
        pytest.param(RSA.jwk(key_ops=["encrypt"]), id="not to verify with"),
        pytest.param(RSA.jwk(alg="HS256"), id="an algorithm of shared secrets"),
        pytest.param(RSA.jwk(alg="ES256"), id="an algorithm of another kind of key"),
        pytest.param(RSA.jwk(kty="oct", k="c2VjcmV0"), id="a shared secret"),
        pytest.param(RSA.jwk(kty="PQC"), id="an unknown kind"),
        pytest.param(RSA.jwk(kty=None), id="no kind"),
        pytest.param(RSA.jwk(kty=1), id="a kind that is no text"),
        pytest.param(RSA.jwk(kid=1), id="an id that is no text"),
        pytest.param(RSA.jwk(n="AQAB"), id="a modulus of 17 bits"),
        pytest.param(Signer("RS256", kind="RSA 1024").jwk(), id="1,024 bits"),
        pytest.param(RSA.jwk(n="_" * 1368), id="more than 8,192 bits"),
        pytest.param(RSA.jwk(e="_" * 12), id="an exponent of 72 bits"),
        pytest.param(RSA.jwk(e="Ag"), id="an even exponent"),
        pytest.param(RSA.jwk(n="\u00e9"), id="a modulus that is no base64"),
        pytest.param(EC.jwk(y=EC.jwk()["x"]), id="a point beside the curve"),
        pytest.param(EC.jwk(x="AA"), id="a coordinate of one byte"),
        pytest.param(EC.jwk(crv="secp256k1"), id="a curve that is not ours"),
        pytest.param(ED.jwk(x="AA"), id="Ed25519 of one byte"),
        pytest.param(ED.jwk(crv="X25519"), id="a key to agree on keys with"),
        pytest.param(None, id="null"),
        pytest.param([[[]]], id="a list"),
    ],
)
def test_a_key_that_cannot_be_used_is_passed_over(jwk: object) -> None:
    assert len(keys_of(jwk, Signer("EdDSA", "good").jwk())) == 1
    with pytest.raises(NoKeys, match=r"^none of its 1 keys can be used to verify tokens$"):
        keys_of(jwk)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>", id="HTML"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"{}", id="no keys"),
        pytest.param(b'{"keys":{}}', id="keys that are no list"),
        pytest.param(b'{"keys":[', id="cut off"),
        pytest.param(b'{"keys":[]}\xff', id="no UTF-8"),
        pytest.param(b'{"keys":"\xff"}', id="a text that is no UTF-8"),
        pytest.param(b'{"keys":' + b"[" * 60_000, id="nested too deep"),
        pytest.param(b'{"keys":[' + b"[" * 20_000 + b"]" * 20_000 + b"]}", id="a deep key"),
    ],
)
def test_an_invalid_key_set_is_described_in_a_line(document: bytes) -> None:
    with pytest.raises(NoKeys) as caught:
        parse_key_set(document)
    assert str(caught.value) == 'expected a JSON object with a list "keys"'


def test_a_set_without_keys_has_none_that_can_be_used() -> None:
    with pytest.raises(NoKeys, match=r"^none of its 0 keys can be used"):
        keys_of()


def test_too_many_keys_are_not_read() -> None:
    with pytest.raises(NoKeys, match=r"^expected at most 100 keys, got 101$"):
        keys_of(*[RSA.jwk()] * (KEYS_MAX + 1))
