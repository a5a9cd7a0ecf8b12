"""New key pairs, and their files."""

import json

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_private_key

from server.identity.key_pairs import new_key_pair


def test_the_public_half_verifies_what_the_file_signs() -> None:
    pair = new_key_pair()
    file = json.loads(pair.file_of(key_id="k", user_id="u"))
    assert [*file] == ["type", "keyId", "key", "userId"]
    assert (file["type"], file["keyId"], file["userId"]) == ("serviceaccount", "k", "u")
    private = load_pem_private_key(file["key"].encode(), None)
    public = load_der_public_key(pair.public)
    assert isinstance(private, RSAPrivateKey)
    assert isinstance(public, RSAPublicKey)
    assert public.key_size == 2048
    public.verify(private.sign(b"text", PKCS1v15(), SHA256()), b"text", PKCS1v15(), SHA256())


def test_two_pairs_differ() -> None:
    assert new_key_pair().public != new_key_pair().public
