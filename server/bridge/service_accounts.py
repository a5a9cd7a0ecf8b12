"""Describes service accounts, by which this service may read from a ZITADEL's API.

The key file of ZITADEL's service accounts is JSON with `type`, `keyId`, `key` (an RSA key in PEM)
and `userId`.
Rule: a key or a token is in nothing that is shown.
"""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from server.urls import may_be_fetched

_KEY_TYPE: Final = "serviceaccount"
_SHOWN_CHARS: Final = 60


class BadAccount(Exception):
    """The URL or the credential does not fit; the text says why, without the credential."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """Holds an account: a machine key, or a token that is used as it is.

    Attributes:
        issuer: URL of the ZITADEL, without a path.
        user_id: the user of the key; empty for a token, so too the key and its id.
        key: an RSA key in PEM.
        token: a personal access token; empty for a key.
    """

    issuer: str
    user_id: str = ""
    key_id: str = ""
    key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


class _KeyFile(msgspec.Struct):
    type: str
    keyId: str  # noqa: N815  as in the file
    key: str
    userId: str  # noqa: N815


_decode_file: Final = msgspec.json.Decoder(_KeyFile).decode


def read_account(issuer: str, credential: str) -> ServiceAccount:
    """Returns the account of a ZITADEL and a credential.

    Args:
        issuer: the URL; a slash at its end is left out.
        credential: the content of a key file, or a token.

    Raises:
        BadAccount: one of them does not fit.
    """
    url = issuer.removesuffix("/")
    parts = urlsplit(url) if may_be_fetched(url) else None
    if parts is None or parts.path or parts.query:
        raise BadAccount(
            "issuer: expected an https URL without a path (http on this machine only), "
            f"got {issuer[:_SHOWN_CHARS]!r}"
        )
    text = credential.strip()
    if text.startswith("{"):
        return _of_key(url, text)
    if not text.isascii() or not text.isprintable() or len(text.split()) != 1:
        raise BadAccount("credential: expected a key file (JSON) or a token, one word")
    return ServiceAccount(url, token=text)


def _of_key(issuer: str, text: str) -> ServiceAccount:
    try:
        file = _decode_file(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        raise BadAccount("key file: expected JSON with type, keyId, key and userId") from None
    if file.type != _KEY_TYPE or not file.keyId or not file.userId:
        shown = f"{file.type[:_SHOWN_CHARS]!r}"
        raise BadAccount(f"key file: expected the type {_KEY_TYPE!r} and two ids, got {shown}")
    try:
        private_key(file.key)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadAccount("key file: expected an RSA key in PEM") from None
    return ServiceAccount(issuer, user_id=file.userId, key_id=file.keyId, key=file.key)


def private_key(pem: str) -> RSAPrivateKey:
    """Returns the key of an account.

    Whether its numbers fit is not checked: that takes long, and ZITADEL refuses what it signs.

    Raises:
        ValueError, TypeError, UnsupportedAlgorithm: it is no RSA key in PEM.
    """
    key = load_pem_private_key(pem.encode(), None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError(f"expected an RSA key, got {type(key).__name__}")
    return key
