"""Parses a JSON Web Key Set, and finds the key that a token names.

Follows RFC 7517 and RFC 7518 section 6. A key that cannot verify tokens (of another
type, for encryption, too short, malformed) is skipped: issuers also publish keys for other uses.
Rule: only public members of a key are read. The algorithm is chosen by the key, never by the token
(RFC 8725 section 3.1).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

KEYS_MAX: Final = 100
"""Max keys of one issuer; most have a few."""

RSA_MIN_BITS: Final = 2048
RSA_MAX_BITS: Final = 8192
"""Max bits of an RSA key: it verifies in 1 ms, one of twice the bits in 4 ms."""

PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey

_RSA: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_BY_CURVE: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "P-256": frozenset({"ES256"}),
        "P-384": frozenset({"ES384"}),
        "P-521": frozenset({"ES512"}),
        "Ed25519": frozenset({"EdDSA"}),
        "Ed448": frozenset({"EdDSA"}),
    }
)
ALGORITHMS: Final = _RSA.union(*_BY_CURVE.values())
"""Accepted algorithms: all use a public key; `none` is not accepted."""

_MODULUS_MAX_CHARS: Final = RSA_MAX_BITS // 6 + 2
_EXPONENT_MAX_CHARS: Final = 11  # 64 bits


class NoKeys(Exception):
    """The key set is malformed, or has no usable key; the text is for the operator."""


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """Holds a public key.

    Attributes:
        id: its `kid`; empty if it has none.
        algorithms: by which it may verify.
    """

    id: str
    public: PublicKey
    algorithms: frozenset[str]


class KeySet:
    """Finds keys by id and algorithm."""

    def __init__(self, keys: Iterable[IssuerKey]) -> None:
        self._by_id: dict[str, list[IssuerKey]] = defaultdict(list)
        self._all = tuple(keys)
        for key in self._all:
            self._by_id[key.id].append(key)

    def __len__(self) -> int:
        return len(self._all)

    def find(self, key_id: str | None, algorithm: str) -> IssuerKey | None:
        """Returns the key with the id; without an id, the only key for the algorithm."""
        named: Sequence[IssuerKey] = self._all if key_id is None else self._by_id.get(key_id, ())
        fit = [key for key in named if algorithm in key.algorithms]
        return fit[0] if len(fit) == 1 else None


class _Set(msgspec.Struct):
    keys: list[msgspec.Raw]


class _Jwk(msgspec.Struct):
    kty: str
    kid: str = ""
    use: str = "sig"
    key_ops: tuple[str, ...] = ("verify",)
    alg: str = ""
    n: str = ""
    e: str = ""
    crv: str = ""
    x: str = ""
    y: str = ""


_decode_set: Final = msgspec.json.Decoder(_Set).decode
_decode_jwk: Final = msgspec.json.Decoder(_Jwk).decode


def parse_key_set(document: bytes) -> KeySet:
    """Parses a key set; takes about 50 µs a key.

    Raises:
        NoKeys: it is malformed, has too many keys, or has no usable one.
    """
    try:
        found = _decode_set(document).keys
    except (msgspec.MsgspecError, ValueError, RecursionError):  # not UTF-8 is a ValueError
        raise NoKeys('expected a JSON object with a list "keys"') from None
    if len(found) > KEYS_MAX:
        raise NoKeys(f"expected at most {KEYS_MAX} keys, got {len(found)}")
    keys = KeySet(key for raw in found if (key := _key(raw)) is not None)
    if not keys:
        raise NoKeys(f"none of its {len(found)} keys can be used to verify tokens")
    return keys


def _key(raw: msgspec.Raw) -> IssuerKey | None:
    try:
        jwk = _decode_jwk(raw)
        public, algorithms = _public(jwk)
    except (msgspec.MsgspecError, RecursionError, PyJWTError, ValueError, UnsupportedAlgorithm):
        return None
    if jwk.alg:
        algorithms &= {jwk.alg}
    if jwk.use != "sig" or "verify" not in jwk.key_ops or not algorithms:
        return None
    return IssuerKey(jwk.kid, public, algorithms)


def _public(jwk: _Jwk) -> tuple[PublicKey, frozenset[str]]:
    """Returns the key and the algorithms of its type; raises ValueError for an unusable key."""
    public: object
    if jwk.kty == "RSA" and len(jwk.n) <= _MODULUS_MAX_CHARS and len(jwk.e) <= _EXPONENT_MAX_CHARS:
        public = RSAAlgorithm.from_jwk({"kty": "RSA", "n": jwk.n, "e": jwk.e})
        if isinstance(public, RSAPublicKey) and RSA_MIN_BITS <= public.key_size <= RSA_MAX_BITS:
            return public, _RSA
    elif jwk.kty == "EC":
        public = ECAlgorithm.from_jwk({"kty": "EC", "crv": jwk.crv, "x": jwk.x, "y": jwk.y})
        if isinstance(public, EllipticCurvePublicKey):
            return public, _BY_CURVE.get(jwk.crv, frozenset())
    elif jwk.kty == "OKP":
        public = OKPAlgorithm.from_jwk({"kty": "OKP", "crv": jwk.crv, "x": jwk.x})
        if isinstance(public, Ed25519PublicKey | Ed448PublicKey):
            return public, _BY_CURVE[jwk.crv]
    raise ValueError(jwk.kty)
