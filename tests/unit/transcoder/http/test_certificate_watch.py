"""Certificates that change while they are in use."""

import logging
import ssl
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.waiting import until_async
from transcoder.errors import SchemaError
from transcoder.http.certificate_watch import CertificateWatch


def watch_of(certificate: Path, key: Path) -> CertificateWatch:
    def read() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError):
            raise SchemaError(f"{certificate.name}: expected a certificate and its key") from None
        return context

    return CertificateWatch(read, [str(certificate), str(key)], look_s=0.01)


async def test_renewed_certificates_are_used_for_the_next_connection(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    authority = Authority(tmp_path)
    pair, renewed = authority.pair("own"), authority.pair("renewed")
    watch = watch_of(pair.certificate, pair.key)
    first = watch.context()
    async with watch.watching():
        renewed.certificate.replace(pair.certificate)  # the key is still that of the old one
        await until_async(lambda: "new certificates are not used" in caplog.text)
        assert watch.context() is first
        renewed.key.replace(pair.key)
        await until_async(lambda: "certificates are read again" in caplog.text)
        assert watch.context() is not first


def test_files_that_cannot_be_used_are_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"^nope\.pem: expected a certificate and its key$"):
        watch_of(tmp_path / "nope.pem", tmp_path / "nope.key")
