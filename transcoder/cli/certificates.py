"""Reads certificates of the command line: of the listener, and of the client of gRPC servers.

Follows RFC 7468 (PEM).
Rule: what cannot be used is refused with the name of its option and its file, before serving.
"""

import functools
import ssl
from pathlib import Path

import grpc

from transcoder.cli.errors import MisusedError
from transcoder.cli.options import Options
from transcoder.http.certificate_watch import CertificateWatch


def listener_certificates(options: Options) -> CertificateWatch | None:
    """Returns the certificates for connections that are accepted; None without TLS.

    Raises:
        MisusedError: a file cannot be used.
    """
    if not options.tls_cert:
        return None
    files = options.tls_cert, options.tls_key, options.tls_client_ca
    return CertificateWatch(
        functools.partial(listener_context, options), [path for path in files if path]
    )


def listener_context(options: Options) -> ssl.SSLContext:
    """Returns the context of the certificates for connections that are accepted.

    Raises:
        MisusedError: a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load_pair(context, "--tls-cert", options.tls_cert, "--tls-key", options.tls_key)
    if options.tls_client_ca:
        _load_authorities(context, "--tls-client-ca", options.tls_client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def channel_credentials(options: Options) -> grpc.ChannelCredentials | None:
    """Returns what TLS to servers needs; None without TLS.

    Raises:
        MisusedError: a file cannot be used.
    """
    if not (options.server_tls or options.server_ca or options.server_cert):
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks the files; grpc would only fail
    authorities = chain = key = None
    if options.server_ca:
        authorities = _load_authorities(context, "--server-ca", options.server_ca)
    if options.server_cert:
        names = "--server-cert", options.server_cert, "--server-key", options.server_key
        chain, key = _load_pair(context, *names)
    return grpc.ssl_channel_credentials(authorities, key, chain)


def _load_pair(
    context: ssl.SSLContext, cert_flag: str, cert: str, key_flag: str, key: str
) -> tuple[bytes, bytes]:
    """Loads a certificate and its key; returns the contents of both files."""
    contents = _content(cert_flag, cert), _content(key_flag, key)
    try:
        context.load_cert_chain(cert, key, password="")
    except ssl.SSLError as error:
        expected = f"expected a certificate in PEM, and in {key_flag} {key} its key, not encrypted"
        raise MisusedError(f"{cert_flag} {cert}: {expected}{_reason(error)}") from None
    return contents


def _load_authorities(context: ssl.SSLContext, flag: str, path: str) -> bytes:
    """Loads certificates that are trusted; returns the content of their file."""
    content = _content(flag, path)
    try:
        context.load_verify_locations(cadata=content.decode("latin-1"))
    except (ssl.SSLError, ValueError) as error:
        expected = f"expected certificates in PEM{_reason(error)}"
        raise MisusedError(f"{flag} {path}: {expected}") from None
    return content


def _content(flag: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise MisusedError(f"{flag} {path}: {error.strerror}") from None


def _reason(error: Exception) -> str:
    """Returns the reason that OpenSSL has, for the end of a text."""
    reason = getattr(error, "reason", None)
    return f"; OpenSSL says {reason}" if reason else ""
