"""Certificates are refused by a line that names the file, and read again when files change."""

import asyncio
import datetime
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from structlog.testing import capture_logs

from server import certificates
from server.certificates import (
    CertificateFiles,
    CertificateWatch,
    InvalidCertificate,
    read_certificates,
)
from server.threads import ThreadPool
from tests.support.certificates import Authority, Pair
from tests.support.tables import by_outcome, cases

WAIT_S = 20
NOT_USED = "new certificates are not used, the old ones stay"


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    monkeypatch.chdir(tmp_path)
    return Authority(Path())


@pytest.fixture
def threads() -> Iterator[ThreadPool]:
    pool = ThreadPool("files", threads_max=1)
    yield pool
    pool.close()


def files_of(pair: Pair, authorities: Path | None = None) -> CertificateFiles:
    return CertificateFiles(pair.certificate, pair.key, authorities)


def test_what_fits_together_is_read(authority: Authority) -> None:
    pair = authority.pair(days=7)
    read = read_certificates(files_of(pair, authority.path))
    left = read.expires_at - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(days=6) < left <= datetime.timedelta(days=7)
    assert read.context.get_ca_certs()


def encrypted(path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    form = BestAvailableEncryption(b"passphrase")
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, form))


def a_folder() -> None:
    Path("server.pem").unlink()
    Path("server.pem").mkdir()


def garbage_in_pem() -> None:
    text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    Path("server.pem").write_text(text)


def a_certificate_as_key() -> None:
    Path("server.key").write_bytes(Path("server.pem").read_bytes())


@by_outcome(
    "spoil, expected",
    {
        "server.pem: No such file or directory": {
            "no certificate": lambda: Path("server.pem").unlink()
        },
        "server.key: No such file or directory": {"no key": lambda: Path("server.key").unlink()},
        "authority.pem: No such file or directory": {
            "no authorities": lambda: Path("authority.pem").unlink()
        },
        "server.pem: Is a directory": {"a folder": a_folder},
        "server.pem: expected certificates in PEM": {
            "an empty certificate": lambda: Path("server.pem").write_text(""),
            "garbage in PEM": garbage_in_pem,
            "a certificate cut off": lambda: os.truncate("server.pem", 200),
        },
        "authority.pem: expected certificates in PEM": {
            "garbage as authorities": lambda: Path("authority.pem").write_bytes(b"\xff" * 100)
        },
        "server.key: expected a private key in PEM": {"a certificate as key": a_certificate_as_key},
        "server.key: expected a key without a passphrase": {
            "a key with a passphrase": lambda: encrypted(Path("server.key"))
        },
        "server.key: expected the key of the certificate in server.pem, got another": {
            "another's key": lambda: Path("b.key").replace("server.key")
        },
    },
)
def test_what_cannot_be_used_is_named(
    authority: Authority, spoil: Callable[[], object], expected: str
) -> None:
    pair = authority.pair()
    authority.pair("b")
    spoil()
    with pytest.raises(InvalidCertificate) as raised:
        read_certificates(files_of(pair, authority.path))
    assert str(raised.value) == expected


@cases(
    "begins, days, expected",
    {
        "expired": (-30, -1, "server.pem: expected a valid certificate, this one ended "),
        "not valid yet": (1, 7, "server.pem: expected a valid certificate, this one begins "),
    },
)
def test_a_certificate_out_of_its_time_is_refused(
    authority: Authority, begins: int, days: int, expected: str
) -> None:
    pair = authority.pair(begins=begins, days=days)
    with pytest.raises(InvalidCertificate, match=expected):
        read_certificates(files_of(pair))


def spoil(pair: Pair) -> None:
    pair.certificate.write_text("garbage")


def replace(new: Pair, pair: Pair) -> None:
    new.certificate.replace(pair.certificate)
    new.key.replace(pair.key)


async def test_a_new_pair_is_used_once_both_files_are_written(
    authority: Authority, threads: ThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "LOOK_S", 0.01)
    pair, new = authority.pair(), authority.pair("new")
    watch = CertificateWatch(files_of(pair), threads=threads)
    await watch.load()
    first = watch.context()
    watch.start()
    with capture_logs() as lines:
        replace(new, pair)
        async with asyncio.timeout(WAIT_S):
            while watch.context() is first:
                await asyncio.sleep(0.005)
    await watch.close()
    assert lines[-1]["event"] == "certificates are read again"


async def test_a_bad_pair_leaves_the_old_one_in_use_and_is_logged_once(
    authority: Authority, threads: ThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "LOOK_S", 0.01)
    pair = authority.pair()
    watch = CertificateWatch(files_of(pair), threads=threads)
    await watch.load()
    first = watch.context()
    with capture_logs() as lines:
        spoil(pair)
        watch.start()
        async with asyncio.timeout(WAIT_S):
            while not lines:
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.1)  # ten looks, in which nothing more is logged
        assert watch.context() is first
        authority.pair()
        async with asyncio.timeout(WAIT_S):
            while watch.context() is first:
                await asyncio.sleep(0.005)
    await watch.close()
    reasons = [line["reason"] for line in lines if line["event"] == NOT_USED]
    assert reasons[0] == "server.pem: expected certificates in PEM"
    assert reasons.count(reasons[0]) == 1


async def test_certificates_are_read_at_once_when_asked(
    authority: Authority, threads: ThreadPool
) -> None:
    pair = authority.pair()
    watch = CertificateWatch(files_of(pair), threads=threads)
    await watch.load()
    first = watch.context()
    authority.pair()
    watch.reload()
    async with asyncio.timeout(WAIT_S):
        while watch.context() is first:
            await asyncio.sleep(0.005)
    await watch.close()
