"""Certificates for TLS, made when a test asks: of this machine, of clients, expired ones.

Rule: keys are of P-256, which are made in a millisecond.
"""

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

_DAY: Final = datetime.timedelta(days=1)
_HOSTS: Final = (x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")))


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, each in a file in PEM."""

    certificate: Path
    key: Path

    @property
    def options(self) -> tuple[str, ...]:
        """Returns the options of `serve` for this certificate."""
        return "--tls-cert", str(self.certificate), "--tls-key", str(self.key)

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


class Authority:
    """An authority that clients and servers trust by the file `path`."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        signed = (
            _builder(self._name, self._name, self._key, begins=-30, days=30)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
            .sign(self._key, SHA256())
        )
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(signed.public_bytes(Encoding.PEM))

    def pair(
        self, name: str = "server", *, begins: int = -30, days: int = 7, organization: str = ""
    ) -> Pair:
        """Makes a certificate for this machine, in files of its name.

        Args:
            name: its common name.
            begins: days from now to its begin; negative ones are past.
            days: the same, to its end.
            organization: in its subject.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        signed = (
            _builder(_name(name, organization), self._name, key, begins=begins, days=days)
            .add_extension(x509.SubjectAlternativeName(_HOSTS), False)
            .sign(self._key, SHA256())
        )
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        pair.certificate.write_bytes(signed.public_bytes(Encoding.PEM))
        pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return pair

    def client_context(self, pair: Pair | None = None) -> ssl.SSLContext:
        """Returns the context of a client that trusts the authority, and may have a certificate."""
        context = ssl.create_default_context(cafile=self.path)
        if pair is not None:
            context.load_cert_chain(pair.certificate, pair.key)
        return context


def _name(common: str, organization: str = "") -> x509.Name:
    attributes = [x509.NameAttribute(x509.NameOID.COMMON_NAME, common)]
    if organization:
        attributes.insert(0, x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    *,
    begins: int,
    days: int,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    number = x509.random_serial_number()
    return (
        x509.CertificateBuilder(issuer, subject, key.public_key(), number)
        .not_valid_before(now + begins * _DAY)
        .not_valid_after(now + days * _DAY)
    )
