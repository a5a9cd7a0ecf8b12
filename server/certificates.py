"""Reads certificates for TLS, checks them, and reads them again when their files change.

Follows RFC 7468 (PEM) and RFC 5280 section 4.1.2.5 (validity).

Rule 1: what does not fit together is never used: at the start it is refused, and a later change
leaves what is in use, with an error in the log that names the file.
Rule 2: a change counts once the files have been the same for two looks: a tool that renews
certificates writes one file after the other.
"""

import asyncio
import datetime
import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import grpc
import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from server import tasks
from server.system_errors import reason
from server.threads import ThreadPool, TooManyWaiting

LOOK_S: Final = 5.0
"""Seconds between two looks at the files."""

_Signature: TypeAlias = tuple[tuple[int, ...] | None, ...]
"""Inode, time and size of each file, which change with it; None if it cannot be read."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Names the files, in PEM.

    Attributes:
        chain: the certificate of the server, then those of intermediate authorities.
        key: its private key, without a passphrase.
        client_authorities: those that sign certificates of clients, which then need one; or None.
    """

    chain: Path
    key: Path
    client_authorities: Path | None = None


@dataclass(frozen=True, slots=True)
class Certificates:
    """Holds certificates that fit together, for both kinds of listeners.

    Attributes:
        context: for connections that the transcoder accepts.
        for_grpc: for those that grpc accepts.
        expires_at: the end of the server's certificate.
    """

    context: ssl.SSLContext
    for_grpc: grpc.ServerCertificateConfiguration
    expires_at: datetime.datetime


class InvalidCertificate(Exception):
    """A file cannot be used; the text names it."""


def read_certificates(files: CertificateFiles) -> Certificates:
    """Reads the files and checks them.

    Raises:
        InvalidCertificate: a file cannot be read, the key is not the certificate's, or that has
            expired.
    """
    chain, key = _content(files.chain), _content(files.key)
    certificate = _certificates(files.chain, chain)[0]
    _require_valid_now(files.chain, certificate)
    _require_pair(files, certificate, key)
    authorities = None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(files.chain, files.key)
        if files.client_authorities is not None:
            authorities = _content(files.client_authorities)
            _certificates(files.client_authorities, authorities)
            context.load_verify_locations(cadata=authorities.decode("latin-1"))
            context.verify_mode = ssl.CERT_REQUIRED
    except (ssl.SSLError, ValueError) as error:
        # The files are checked; what OpenSSL refuses beyond that has no better text.
        text = getattr(error, "reason", None) or "it cannot be used"
        raise InvalidCertificate(f"{files.chain}: OpenSSL refuses it: {text}") from error
    for_grpc = grpc.ssl_server_certificate_configuration([(key, chain)], authorities)
    return Certificates(context, for_grpc, certificate.not_valid_after_utc)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidCertificate(f"{path}: {reason(error)}") from error


def _certificates(path: Path, content: bytes) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(content)
    except ValueError:
        found = []
    if not found:
        raise InvalidCertificate(f"{path}: expected certificates in PEM")
    return found


def _require_valid_now(path: Path, certificate: x509.Certificate) -> None:
    now = datetime.datetime.now(datetime.UTC)
    if certificate.not_valid_after_utc < now:
        ended = certificate.not_valid_after_utc.isoformat()
        raise InvalidCertificate(f"{path}: expected a valid certificate, this one ended {ended}")
    if certificate.not_valid_before_utc > now:
        begins = certificate.not_valid_before_utc.isoformat()
        raise InvalidCertificate(f"{path}: expected a valid certificate, this one begins {begins}")


def _require_pair(files: CertificateFiles, certificate: x509.Certificate, content: bytes) -> None:
    try:
        key = load_pem_private_key(content, password=None)
    except TypeError:
        text = f"{files.key}: expected a key without a passphrase"
        raise InvalidCertificate(text) from None
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidCertificate(f"{files.key}: expected a private key in PEM") from None
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        text = f"{files.key}: expected the key of the certificate in {files.chain}, got another"
        raise InvalidCertificate(text)


class CertificateWatch:
    """Has the certificates in use, and reads them again from `start` to `close`."""

    def __init__(self, files: CertificateFiles, *, threads: ThreadPool) -> None:
        """Reads nothing yet; `threads` reads files."""
        self._files = files
        self._threads = threads
        self._current: Certificates | None = None
        self._for_grpc: grpc.ServerCertificateConfiguration | None = None
        self._signature: _Signature = ()
        self._task: asyncio.Task[None] | None = None
        self._reloading: asyncio.Task[None] | None = None

    async def load(self) -> None:
        """Reads the files for the first time.

        Raises:
            InvalidCertificate: they cannot be used.
        """
        self._signature = await self._threads.run("", _signature_of, self._files)
        self._current = await self._threads.run("", read_certificates, self._files)

    def start(self) -> None:
        self._task = asyncio.create_task(self._look_forever(), name="certificates")

    async def close(self) -> None:
        await tasks.end(self._task)
        await tasks.end(self._reloading)

    def reload(self) -> None:
        """Reads the files now, in the background."""
        if self._reloading is None or self._reloading.done():
            self._reloading = asyncio.create_task(self._read_again())

    def context(self) -> ssl.SSLContext:
        """Returns the context of the next connection; `load` comes before."""
        return self._loaded().context

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """Returns credentials that follow the files; `load` comes before."""
        return grpc.dynamic_ssl_server_credentials(
            self._loaded().for_grpc,
            self._changed_for_grpc,  # type: ignore[arg-type]  # None keeps what grpc has
            require_client_authentication=self._files.client_authorities is not None,
        )

    def _loaded(self) -> Certificates:
        if self._current is None:
            raise RuntimeError("certificates are used before they are loaded")
        return self._current

    def _changed_for_grpc(self) -> grpc.ServerCertificateConfiguration | None:
        """Returns certificates that grpc has not got yet; grpc asks in threads of its own."""
        changed, self._for_grpc = self._for_grpc, None
        return changed

    async def _look_forever(self) -> None:
        seen = self._signature
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                found = await self._threads.run("", _signature_of, self._files)
            except TooManyWaiting:
                continue
            if found == seen and found != self._signature:
                await self._read_again()
            seen = found

    async def _read_again(self) -> None:
        """Takes the files, or goes on with what is in use and logs why."""
        try:
            self._signature = await self._threads.run("", _signature_of, self._files)
            read = await self._threads.run("", read_certificates, self._files)
        except (InvalidCertificate, TooManyWaiting) as error:
            log.error("new certificates are not used, the old ones stay", reason=str(error))
            return
        self._current, self._for_grpc = read, read.for_grpc
        log.info("certificates are read again", expires=read.expires_at.isoformat())


def _signature_of(files: CertificateFiles) -> _Signature:
    paths = (files.chain, files.key, files.client_authorities)
    return tuple(_file_signature(path) for path in paths if path is not None)


def _file_signature(path: Path) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)  # noqa: PTH116  follows the links by which certificates are renewed
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
