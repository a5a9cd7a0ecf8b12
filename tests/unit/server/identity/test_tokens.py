"""Secrets of personal access tokens."""

from server.identity.tokens import new_secret


def test_secrets_are_long_and_differ() -> None:
    first, second = new_secret(), new_secret()
    assert first.startswith("act_")
    assert len(first) == 4 + 43  # 256 bits in base64url
    assert first != second
