"""Service accounts: what is taken as one, and that nothing shown has its credential."""

import json

import pytest

from server.bridge.service_accounts import BadAccount, ServiceAccount, read_account
from server.bridge.targets import Target, read, write
from server.identity.key_pairs import new_key_pair
from tests.support.tables import cases

URL = "https://zitadel.example"
PAIR = new_key_pair()
FILE = PAIR.file_of(key_id="8", user_id="7")


def changed(**members: str) -> str:
    return json.dumps(json.loads(FILE) | members)


def test_a_key_file_and_a_token_are_accounts() -> None:
    key = ServiceAccount(URL, user_id="7", key_id="8", key=PAIR.private)
    assert read_account(f"{URL}/", f"{FILE}\n") == key
    assert read_account(URL, " a-token \n") == ServiceAccount(URL, token="a-token")


@cases(
    "issuer, credential, text",
    {
        "plain http": ("http://zitadel.example", "t", "issuer: expected an https URL"),
        "a path": (f"{URL}/ui/console", "t", "issuer: expected an https URL"),
        "a query": (f"{URL}?a=b", "t", "issuer: expected an https URL"),
        "no URL": ("zitadel.example", "t", "issuer: expected an https URL"),
        "a password in the URL": ("https://a:b@zitadel.example", "t", "issuer: expected an"),
        "two words": (URL, "a b", "credential: expected a key file (JSON) or a token"),
        "nothing": (URL, " ", "credential: expected a key file (JSON) or a token"),
        "cut JSON": (URL, '{"type":', "key file: expected JSON with type, keyId, key and userId"),
        "a key of an application": (
            URL, changed(type="application"), "key file: expected the type 'serviceaccount'",
        ),
        "a key without its user": (URL, changed(userId=""), "key file: expected the type"),
        "a key that is none": (URL, changed(key="x"), "key file: expected an RSA key in PEM"),
    },
)  # fmt: skip
def test_what_does_not_fit_is_refused(issuer: str, credential: str, text: str) -> None:
    with pytest.raises(BadAccount) as refused:
        read_account(issuer, credential)
    assert str(refused.value).startswith(text)


def test_http_is_for_this_machine() -> None:
    assert read_account("http://127.0.0.1:8080", "t").issuer == "http://127.0.0.1:8080"


def test_nothing_that_is_shown_has_the_credential() -> None:
    shown = repr(read_account(URL, FILE)) + repr(read_account(URL, "a-token"))
    assert "PRIVATE" not in shown
    assert "a-token" not in shown


@cases("account", {"a key": read_account(URL, FILE), "a token": read_account(URL, "t")})
def test_a_target_is_stored_with_its_account(account: ServiceAccount) -> None:
    target = Target(
        id="1", name="a", signing_key="", timeout_ms=1, ignores_failures=False, orgs={},
        account=account,
    )  # fmt: skip
    assert read("1", write(target)) == target


def test_a_target_that_was_stored_before_there_were_accounts_has_none() -> None:
    stored = (
        b'{"form":1,"name":"a","signing_key":"k","timeout_ms":5,"ignores_failures":false,"orgs":{}}'
    )
    assert read("1", stored).account is None
