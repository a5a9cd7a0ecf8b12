"""Names what is known of a client by its certificate, in the words of gRPC.

Follows grpc/doc and grpc_security_constants.h (names of properties), RFC 2253 (a subject in one
line: the last part of it first), and `ssl.SSLSocket.getpeercert`.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeAlias

AuthContext: TypeAlias = Mapping[str, Sequence[bytes]]
"""Properties as `grpc.ServicerContext.auth_context` has them."""

UNKNOWN: Final[AuthContext] = MappingProxyType({})
"""Stands for a client without a verified certificate."""

SUBJECT: Final = "x509_subject"
COMMON_NAME: Final = "x509_common_name"
ALTERNATIVE_NAME: Final = "x509_subject_alternative_name"

_SHORT: Final = {
    "commonName": "CN",
    "countryName": "C",
    "domainComponent": "DC",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "stateOrProvinceName": "ST",
    "streetAddress": "street",
    "userId": "UID",
}
"""Short names of RFC 2253 section 2.3; other attributes keep their long ones."""
_SPECIAL: Final = frozenset(',+"\\<>;')


def auth_context_of(certificate: Mapping[str, Any] | None) -> AuthContext:
    """Returns the properties of a verified certificate.

    Args:
        certificate: as `getpeercert` returns it: None or empty, if there is none.
    """
    if not certificate:
        return UNKNOWN
    parts = certificate.get("subject", ())
    names = [value for part in parts for name, value in part if name == "commonName"]
    found = {
        "transport_security_type": [b"ssl"],
        SUBJECT: [",".join(map(_part, reversed(parts))).encode()],
    }
    if names:
        found[COMMON_NAME] = [names[-1].encode()]
    alternatives = certificate.get("subjectAltName", ())
    if alternatives:
        found[ALTERNATIVE_NAME] = [value.encode() for _, value in alternatives]
    return found


def _part(part: Sequence[tuple[str, str]]) -> str:
    return "+".join(f"{_SHORT.get(name, name)}={_escaped(value)}" for name, value in part)


def _escaped(value: str) -> str:
    """Returns a value as RFC 2253 section 2.4 writes it."""
    text = "".join(f"\\{sign}" if sign in _SPECIAL else sign for sign in value)
    if text.startswith(("#", " ")):
        text = f"\\{text}"
    return f"{text[:-1]}\\ " if text.endswith(" ") and len(value) > 1 else text
