"""Makes the keys to which a ZITADEL encrypts a target's payloads.

Follows docs/bridge.md and RFC 5280 section 4.1 (the public half, in PEM, as ZITADEL takes it).
Rule: the private half is in the stored target, which is sealed, and never in an answer.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

KEYS_MAX: Final = 4
"""Max keys of a target; a payload is tried by all of its type, RSA takes 1 ms each."""

_EXPONENT: Final = 65537
_BITS: Final = 2048


class KeyType(StrEnum):
    """Names the kinds of keys that ZITADEL encrypts to."""

    RSA = "rsa"
    EC = "ec"


@dataclass(frozen=True, slots=True)
class EncryptionKey:
    """Holds a key.

    Attributes:
        id: given here; ZITADEL gives it another.
        created_at: in microseconds since the epoch.
        private: PKCS#8 in DER.
    """

    id: str
    type: KeyType
    created_at: int
    private: bytes = field(repr=False)

    def public_pem(self) -> str:
        """Returns the public half."""
        public = private_of(self).public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def new_key(id: str, type: KeyType, *, created_at: int) -> EncryptionKey:
    """Makes a key: RSA of 2048 bits in about 50 ms of CPU, or of the curve P-256."""
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if type is KeyType.RSA:
        private = rsa.generate_private_key(_EXPONENT, _BITS)
    else:
        private = ec.generate_private_key(ec.SECP256R1())
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return EncryptionKey(id, type, created_at, der)


def private_of(key: EncryptionKey) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    """Returns the private half.

    It was made here and sealed, so it is not checked again, which would take 50 ms.
    """
    private = load_der_private_key(key.private, None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise TypeError(f"expected a key of RSA or of a curve, got {type(private).__name__}")
    return private
