"""The service over TLS, as an operator starts it and as clients call it."""

import asyncio
import contextlib
import json
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from tests.support.certificates import Authority
from tests.support.commandline import Outcome, Server, run
from tests.support.tables import cases
from zitadel import management_pb2 as pb
from zitadel.management_pb2_grpc import ManagementServiceStub

pytestmark = pytest.mark.timeout(240)  # a test is some processes, one after another

WAIT_S: Final = 30
PROTOCOLS: Final = ("json", "grpc-web", "grpc")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Server]:
    with Server(*authority.pair().options, folder=tmp_path_factory.mktemp("serve")) as running:
        yield running


def called(server: Server, protocol: str, address: str, *more: str) -> Outcome:
    call = ("call", "ListActions", "--protocol", protocol, "--address", address)
    return run(*call, *more, folder=server.folder)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_call_speaks_tls_at_the_address_of_all_protocols(
    server: Server, authority: Authority, protocol: str
) -> None:
    for address in (server.listen, server.listen.replace("127.0.0.1", "localhost")):
        outcome = called(server, protocol, address, "--ca", str(authority.path))
        assert (outcome.status, outcome.err) == (0, "")
        assert "viewTimestamp" in json.loads(outcome.out)["details"]


def test_call_speaks_tls_at_the_address_of_grpc(server: Server, authority: Authority) -> None:
    outcome = called(server, "grpc", server.grpc_listen, "--ca", str(authority.path))
    assert (outcome.status, outcome.err) == (0, "")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_call_names_a_certificate_that_is_not_trusted(server: Server, protocol: str) -> None:
    outcome = called(server, protocol, server.listen, "--tls")
    assert outcome.status == 1
    assert outcome.out == ""
    assert outcome.err.startswith(f"error: {server.listen}: expected a certificate that is trusted")


def test_without_tls_there_is_no_answer(server: Server) -> None:
    for protocol in PROTOCOLS:
        assert called(server, protocol, server.listen).status == 1


def test_call_to_a_server_without_tls_is_one_line(tmp_path: Path, authority: Authority) -> None:
    with Server(folder=tmp_path) as plain:
        outcome = called(plain, "json", plain.listen, "--ca", str(authority.path))
    assert outcome == Outcome(1, "", f"error: {plain.listen}: expected TLS, got something else\n")


@cases(
    "arguments, line",
    {
        "a key of another": (
            ("--tls-cert", "server.pem", "--tls-key", "other.key"),
            "error: TLS is not possible: other.key: expected the key of the certificate in "
            "server.pem, got another\n",
        ),
        "no file": (
            ("--tls-cert", "server.pem", "--tls-key", "missing.key"),
            "error: TLS is not possible: missing.key: No such file or directory\n",
        ),
    },
)
def test_a_start_with_unusable_certificates_is_refused_by_one_line(
    tmp_path: Path, arguments: tuple[str, ...], line: str
) -> None:
    made = Authority(tmp_path)
    made.pair()
    made.pair("other")
    outcome = run("serve", "--listen", "127.0.0.1:0", *arguments, folder=tmp_path)
    assert outcome == Outcome(1, "", line)


@cases(
    "arguments, line",
    {
        "no key": (("--tls-cert", "a"), "error: --tls-cert: expected tls_key to be given, too\n"),
        "no certificate": (
            ("--tls-key", "a"),
            "error: --tls-key: expected tls_cert to be given, too\n",
        ),
        "authorities alone": (
            ("--tls-client-ca", "a"),
            "error: --tls-client-ca: expected tls_cert to be given, too\n",
        ),
    },
)
def test_a_certificate_comes_with_its_key(
    tmp_path: Path, arguments: tuple[str, ...], line: str
) -> None:
    outcome = run("serve", *arguments, folder=tmp_path)
    assert (outcome.status, outcome.err) == (2, line)


@contextlib.contextmanager
def connected(address: str, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    host, _, port = address.rpartition(":")
    with (
        socket.create_connection((host, int(port)), WAIT_S) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        yield secured


def subject_at(address: str, authority: Authority) -> str:
    """Returns the common name of the certificate that a server shows."""
    context = authority.client_context()
    context.set_alpn_protocols(["h2"])
    with connected(address, context) as connection:
        shown: Any = connection.getpeercert()
    return str(dict(pair for (pair,) in shown["subject"])["commonName"])


def logged(server: Server, text: str) -> None:
    """Waits until the log has the text."""
    until = time.monotonic() + WAIT_S
    while text not in server.log():
        assert time.monotonic() < until, server.log()
        time.sleep(0.02)


def test_both_addresses_take_new_certificates_at_sighup_and_keep_the_old_if_they_are_bad(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path)
    pair = authority.pair()
    with Server(*pair.options, folder=tmp_path) as server:
        addresses = (server.listen, server.grpc_listen)
        assert [subject_at(each, authority) for each in addresses] == ["server", "server"]
        new = authority.pair("new")
        new.certificate.replace(pair.certificate)
        server.signal(signal.SIGHUP)
        logged(server, "new certificates are not used, the old ones stay")
        assert [subject_at(each, authority) for each in addresses] == ["server", "server"]
        new.key.replace(pair.key)
        server.signal(signal.SIGHUP)
        logged(server, "certificates are read again")
        assert [subject_at(each, authority) for each in addresses] == ["new", "new"]
        server.stop()
    expected = f"{pair.key}: expected the key of the certificate in {pair.certificate}, got another"
    assert expected in server.log()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_call_has_a_certificate_of_its_own_where_one_is_needed(
    tmp_path: Path, protocol: str
) -> None:
    authority = Authority(tmp_path)
    pair, client = authority.pair(), authority.pair("client")
    serve = (*pair.options, "--tls-client-ca", str(authority.path))
    trusted = ("--ca", str(authority.path))
    own = ("--cert", str(client.certificate), "--key", str(client.key))
    with Server(*serve, folder=tmp_path) as server:
        with_own = called(server, protocol, server.listen, *trusted, *own)
        without = called(server, protocol, server.listen, *trusted)
    assert (with_own.status, with_own.err) == (0, "")
    assert (without.status, without.out) == (1, "")


def test_a_key_of_call_comes_with_its_certificate(tmp_path: Path) -> None:
    outcome = run("call", "Healthz", "--key", "a", folder=tmp_path)
    assert outcome == Outcome(2, "", "error: --key: expected --cert to be given, too\n")


def test_a_certificate_of_call_that_cannot_be_read_is_one_line(
    server: Server, authority: Authority
) -> None:
    for protocol in PROTOCOLS:
        outcome = called(server, protocol, server.listen, "--tls", "--cert", "missing.pem")
        line = "error: cannot read missing.pem: No such file or directory\n"
        assert outcome == Outcome(1, "", line)


async def code_of(address: str, credentials: grpc.ChannelCredentials, token: str) -> str:
    async with grpc.aio.secure_channel(address, credentials) as channel:
        stub: Any = ManagementServiceStub(channel)
        metadata = (("authorization", f"Bearer {token}"),)
        call = stub.ListActions(pb.ListActionsRequest(), metadata=metadata, timeout=WAIT_S)
        return str((await call.code()).name)


def answer_of(address: str, context: ssl.SSLContext) -> bytes:
    """Returns the beginning of the answer to /healthz; empty if the handshake fails."""
    try:
        with connected(address, context) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            return connection.recv(15)
    except (ssl.SSLError, ConnectionError):
        return b""


def test_every_client_needs_a_certificate_of_the_authorities(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair, client = authority.pair(), authority.pair("client", organization="Acme, Inc.")
    roots = authority.path.read_bytes()
    known = grpc.ssl_channel_credentials(
        roots, client.key.read_bytes(), client.certificate.read_bytes()
    )
    unknown = grpc.ssl_channel_credentials(roots)
    serve = (*pair.options, "--tls-client-ca", str(authority.path))
    with Server(*serve, folder=tmp_path) as server:
        token = (tmp_path / "data/owner.token").read_text("ascii").strip()
        for address in (server.listen, server.grpc_listen):
            assert asyncio.run(code_of(address, known, token)) == "OK"
            assert asyncio.run(code_of(address, unknown, token)) == "UNAVAILABLE"
        assert answer_of(server.listen, authority.client_context(client)) == b"HTTP/1.1 200 OK"
        assert answer_of(server.listen, authority.client_context()) == b""
        with connected(server.listen, authority.client_context(client)) as connection:
            bearer = f"Authorization: Bearer {token}\r\n".encode()
            search = b"POST /management/v1/actions/_search HTTP/1.1\r\nHost: a\r\n"
            connection.sendall(search + bearer + b"Content-Length: 0\r\n\r\n")
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
        server.stop()
    subject = 'subject="CN=client,O=Acme\\\\, Inc."'
    calls = [line for line in server.log().splitlines() if " call " in line]
    assert [subject in line for line in calls] == [True] * 3, calls
