"""Decrypts payloads that are JWEs: a compact JWE that has the JWT of the payload.

Follows RFC 7516 section 5.2, and RFC 7518 sections 4.3 (RSA-OAEP-256), 4.6 (ECDH-ES+A256KW) and 5.3
(A256GCM). ZITADEL names its key by an id of its own: a payload is tried by each key of its type.

Rule 1: the call's signature is verified before (`signature`), so nobody else learns from answers.
Rule 2: nothing is inflated, and no critical extension is understood: both are refused.
"""

import binascii
import re
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap
from jwt.algorithms import ECAlgorithm
from jwt.exceptions import PyJWTError
from jwt.utils import base64url_decode

from server.bridge.encryption_keys import EncryptionKey, KeyType, private_of
from server.bridge.signature import BadSignature

_RSA: Final = "RSA-OAEP-256"
_EC: Final = "ECDH-ES+A256KW"
_CONTENT: Final = "A256GCM"
_KEY_BYTES: Final = 32
_TYPES: Final = {_RSA: KeyType.RSA, _EC: KeyType.EC}

_HEADER_MAX_CHARS: Final = 4096
_PART: Final = rb"[A-Za-z0-9_-]+"
_COMPACT: Final = re.compile(rb"(%b)\.(%b)\.(%b)\.(%b)\.(%b)" % ((_PART,) * 5))


class _Point(msgspec.Struct):
    kty: str = ""
    crv: str = ""
    x: str = ""
    y: str = ""


class _Header(msgspec.Struct):
    alg: str
    enc: str
    epk: _Point = msgspec.field(default_factory=_Point)
    apu: str = ""
    apv: str = ""
    zip: str | None = None
    crit: list[str] | None = None


_decode: Final = msgspec.json.Decoder(_Header).decode


class _WrongKey(Exception):
    """The key does not open the token."""


def decrypted(token: bytes, keys: Sequence[EncryptionKey]) -> bytes:
    """Returns the content of a JWE.

    Args:
        token: as it was sent.
        keys: of the target; the last is tried first.

    Raises:
        BadSignature: it is no JWE of the accepted algorithms, or no key opens it.
    """
    found = _COMPACT.fullmatch(token)
    if found is None or len(found[1]) > _HEADER_MAX_CHARS:
        raise BadSignature("payload: expected a JWE")
    protected, *rest = found.groups()
    try:
        header = _decode(base64url_decode(protected))
        wrapped, iv, ciphertext, tag = map(base64url_decode, rest)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise BadSignature("payload: expected a JWE") from None
    type_ = _TYPES.get(header.alg)
    if type_ is None or header.enc != _CONTENT:
        raise BadSignature(
            f"payload: expected a JWE by {_RSA} or {_EC} with {_CONTENT}, "
            f"got {header.alg[:40]} with {header.enc[:40]}"
        )
    if header.zip is not None or header.crit is not None:
        raise BadSignature("payload: expected a JWE without zip and crit")
    unwrap = _rsa_unwrapped if type_ is KeyType.RSA else _ec_unwrapped
    for key in reversed(keys):
        if key.type is type_:
            try:
                return _opened(key, unwrap, header, wrapped, iv, ciphertext + tag, protected)
            except _WrongKey:
                continue
    raise BadSignature("payload: not encrypted to a key of the target")


def _opened(
    key: EncryptionKey,
    unwrap: Callable[[EncryptionKey, _Header, bytes], bytes],
    header: _Header,
    wrapped: bytes,
    iv: bytes,
    sealed: bytes,
    protected: bytes,
) -> bytes:
    content_key = unwrap(key, header, wrapped)
    if len(content_key) != _KEY_BYTES:
        raise _WrongKey
    try:
        return AESGCM(content_key).decrypt(iv, sealed, protected)
    except (InvalidTag, ValueError):  # the latter by the length of the vector
        raise _WrongKey from None


def _rsa_unwrapped(key: EncryptionKey, _: _Header, wrapped: bytes) -> bytes:
    private = private_of(key)
    if not isinstance(private, RSAPrivateKey):
        raise _WrongKey
    try:
        return private.decrypt(wrapped, OAEP(mgf=MGF1(SHA256()), algorithm=SHA256(), label=None))
    except ValueError:
        raise _WrongKey from None


def _ec_unwrapped(key: EncryptionKey, header: _Header, wrapped: bytes) -> bytes:
    private = private_of(key)
    try:
        theirs = ECAlgorithm.from_jwk(msgspec.to_builtins(header.epk))
        if not isinstance(private, EllipticCurvePrivateKey) or not isinstance(
            theirs, EllipticCurvePublicKey
        ):
            raise _WrongKey
        shared = private.exchange(ECDH(), theirs)  # a point of another curve is a ValueError
        return aes_key_unwrap(_derived(shared, header), wrapped)
    except (PyJWTError, InvalidUnwrap, binascii.Error, ValueError):
        raise _WrongKey from None


def _derived(shared: bytes, header: _Header) -> bytes:
    """Returns the key that wraps the content's key, by RFC 7518 section 4.6.2."""
    parts = (header.alg.encode(), base64url_decode(header.apu), base64url_decode(header.apv))
    info = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    info += (_KEY_BYTES * 8).to_bytes(4, "big")
    return ConcatKDFHash(SHA256(), _KEY_BYTES, info).derive(shared)
