"""An issuer over https, and a real server that takes its JWTs if it trusts its certificate."""

import datetime
import ipaddress
import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.commandline import Outcome, Server, run
from tests.support.issuer import AUDIENCE, KEYS_PATH, Issuer, Signer

pytestmark = pytest.mark.timeout(240)  # a test is some processes, one after another
SIGNER = Signer("ES256", "key")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Makes a self-signed certificate for this machine's address, with its key in the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, SHA256())
    )
    path = tmp_path_factory.mktemp("issuer") / "certificate.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + signed.public_bytes(Encoding.PEM))
    return path


@pytest.fixture
def issuer(certificate: Path) -> Iterator[Issuer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Issuer(SIGNER, tls=context) as running:
        yield running


def called(folder: Path, issuer: Issuer, *, trusted: str) -> tuple[Outcome, str]:
    """Returns the answer to a call with a JWT and the log, of a server that trusts the file."""
    options = ("--jwt-issuer", issuer.url, "--jwt-audience", AUDIENCE)
    environment = {"SSL_CERT_FILE": trusted}
    with Server(*options, folder=folder, environment=environment) as server:
        made = run("user", "create", "ada", "--subject", "ada", "--json", folder=folder)
        user_id = json.loads(made.out)["id"]
        assert run("member", "add", user_id, "ORG_OWNER", folder=folder).status == 0
        token = SIGNER.token(issuer.claims("ada"))
        return server.call("ListActions", {}, "json", "--token", token), server.log()


def test_an_issuer_whose_certificate_is_trusted_is_believed(
    tmp_path: Path, issuer: Issuer, certificate: Path
) -> None:
    outcome, _ = called(tmp_path, issuer, trusted=str(certificate))
    assert outcome.err == ""
    assert outcome.status == 0
    assert issuer.asked[-1] == KEYS_PATH


def test_an_issuer_with_an_untrusted_certificate_gets_no_request(
    tmp_path: Path, issuer: Issuer
) -> None:
    outcome, log = called(tmp_path, issuer, trusted="/dev/null")
    assert outcome.status == 1
    assert json.loads(outcome.out) == {
        "code": 14,
        "message": "the token cannot be verified now: its issuer's keys are unavailable, try again",
    }
    assert "cannot connect: its certificate is not trusted" in log
    assert issuer.asked == []
