"""Assertions of service accounts: what ZITADEL reads in them."""

import jwt
from cryptography.hazmat.primitives.serialization import load_der_public_key

from server.bridge.service_accounts import read_account
from server.identity.key_pairs import new_key_pair
from server.upstream.assertions import assertion_of

URL = "https://zitadel.example"
PAIR = new_key_pair()
FILE = PAIR.file_of(key_id="8", user_id="7")


def test_an_assertion_is_of_the_user_for_the_zitadel() -> None:
    made = assertion_of(read_account(URL, FILE), now_s=1_700_000_000)
    public = load_der_public_key(PAIR.public)
    options = {"verify_exp": False}
    claims = jwt.decode(made, public, ["RS256"], options, audience=URL)  # type: ignore[arg-type]
    assert claims == {
        "iss": "7", "sub": "7", "aud": URL, "iat": 1_700_000_000, "exp": 1_700_000_600,
    }  # fmt: skip
    assert jwt.get_unverified_header(made)["kid"] == "8"
