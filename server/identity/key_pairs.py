"""Makes the secrets of machine keys: key pairs, with the file that ZITADEL's tools read.

Follows RFC 8017 appendix A.1 (the private key) and RFC 5280 section 4.1 (the public key). The file
is that of ZITADEL's service accounts.
Rule: the private key is in the file alone.
"""

from dataclasses import dataclass
from typing import Final

import orjson
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

_EXPONENT: Final = 65537
_BITS: Final = 2048
"""Bits of a key, as ZITADEL makes them."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Holds a new key.

    Attributes:
        private: PKCS#1 in PEM.
        public: SubjectPublicKeyInfo in DER.
    """

    private: str
    public: bytes

    def file_of(self, *, key_id: str, user_id: str) -> str:
        """Returns the content of the file, by which its user gets access tokens."""
        content = {
            "type": "serviceaccount",
            "keyId": key_id,
            "key": self.private,
            "userId": user_id,
        }
        return orjson.dumps(content).decode()


def new_key_pair() -> KeyPair:
    """Makes a key; takes about 50 ms of CPU, without the interpreter's lock."""
    private = rsa.generate_private_key(_EXPONENT, _BITS)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    der = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return KeyPair(pem.decode(), der)
