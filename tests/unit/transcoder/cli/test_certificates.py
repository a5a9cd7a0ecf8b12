"""Certificates of the command line: an error names the option and the file."""

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from tests.support.certificates import Authority
from tests.support.tables import cases
from transcoder.cli.certificates import (
    channel_credentials,
    listener_certificates,
    listener_context,
)
from transcoder.cli.errors import MisusedError
from transcoder.cli.options import Options


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    authority = Authority(Path())
    authority.pair("own")
    authority.pair("other")
    Path("text.pem").write_text("no certificate", encoding="utf-8")
    key = ec.generate_private_key(ec.SECP256R1())
    locked = BestAvailableEncryption(b"secret")
    form = Encoding.PEM, PrivateFormat.PKCS8
    Path("locked.key").write_bytes(key.private_bytes(*form, locked))
    return tmp_path


def test_clients_need_a_certificate_if_their_authorities_are_given(folder: Path) -> None:
    of_server = Options(tls_cert="own.pem", tls_key="own.key")
    context = listener_context(of_server)
    assert context.verify_mode is ssl.CERT_NONE
    mutual = Options(tls_cert="own.pem", tls_key="own.key", tls_client_ca="authority.pem")
    context = listener_context(mutual)
    assert context.verify_mode is ssl.CERT_REQUIRED


@pytest.mark.usefixtures("folder")
def test_without_options_there_is_no_tls() -> None:
    assert listener_certificates(Options()) is None
    assert channel_credentials(Options()) is None
    assert channel_credentials(Options(server_tls=True)) is not None


@cases(
    "options, text",
    {
        "no file": (
            Options(tls_cert="nope", tls_key="own.key"),
            "--tls-cert nope: No such file or directory",
        ),
        "no key": (
            Options(tls_cert="own.pem", tls_key="nope"),
            "--tls-key nope: No such file or directory",
        ),
        "another key": (
            Options(tls_cert="own.pem", tls_key="other.key"),
            "--tls-cert own.pem: expected a certificate in PEM, and in --tls-key other.key its "
            "key, not encrypted; OpenSSL says KEY_VALUES_MISMATCH",
        ),
        "a key with a passphrase": (
            Options(tls_cert="own.pem", tls_key="locked.key"),
            "--tls-cert own.pem: expected a certificate in PEM, and in --tls-key locked.key its ",
        ),
        "no authorities": (
            Options(tls_cert="own.pem", tls_key="own.key", tls_client_ca="text.pem"),
            "--tls-client-ca text.pem: expected certificates in PEM",
        ),
        "no authorities of servers": (
            Options(server_ca="text.pem"),
            "--server-ca text.pem: expected certificates in PEM",
        ),
        "another key of the client": (
            Options(server_cert="own.pem", server_key="other.key"),
            "--server-cert own.pem: expected a certificate in PEM, and in --server-key other.key",
        ),
    },
)
@pytest.mark.usefixtures("folder")
def test_a_file_that_cannot_be_used_is_refused(options: Options, text: str) -> None:
    with pytest.raises(MisusedError) as raised:
        _ = listener_certificates(options), channel_credentials(options)
    assert str(raised.value).startswith(text)
