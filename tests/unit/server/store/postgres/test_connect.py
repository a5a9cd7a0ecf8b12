"""Addresses of PostgreSQL: what each names, and what the operator reads where it does not work."""

import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from server.store.errors import StorageError
from server.store.postgres.connect import Server
from tests.support.certificates import Authority
from tests.support.postgres_tls import tls_in_front_of
from tests.support.postgresql import shared_server
from tests.support.tables import cases

FORM = (
    "database: expected postgresql://user:password@host:port/name, got another form (it may hold "
    "a password, so it is not shown); write / as %2F, @ as %40, # as %23 and ? as %3F"
)


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def elsewhere(url: str) -> str:
    """Returns the URL with a port on which nobody listens."""
    return url.replace(str(shared_server().port), free_port())


@pytest.fixture
async def tls_url(tmp_path: Path) -> AsyncIterator[str]:
    """Returns a URL that TLS alone leads to, with the authority that its certificate is of."""
    authority = Authority(tmp_path)
    server = shared_server()
    async with tls_in_front_of(server.port, authority.pair()) as port:
        url = server.url().replace(str(server.port), str(port))
        yield f"{url}?sslrootcert={authority.path}"


async def connected_to(url: str) -> int:
    """Returns the port of the server that a URL leads to."""
    async with Server(url).connection() as connection:
        port: int = await connection.fetchval("SELECT inet_server_port()")
        return port


@cases(
    "url",
    {
        "slash in the password": "postgresql://u:se/cret@127.0.0.1/db",
        "slash after digits": "postgresql://u:12/cret@127.0.0.1/db",
        "at and slash in the password": "postgresql://u:se@c/ret@127.0.0.1/db",
        "number sign in the password": "postgresql://u:se#cret@127.0.0.1/db",
        "question mark in the password": "postgresql://u:se?cret@127.0.0.1/db",
        "bracket in the password": "postgresql://u:se[cret@127.0.0.1/db",
        "no host": "postgresql://u:secret",
        "port that is no number": "postgresql://u@127.0.0.1:secret/db",
        "path of two parts": "postgresql://u@127.0.0.1/db/x",
        "another program's": "mysql://u:secret@127.0.0.1/db",
    },
)
def test_an_address_of_another_form_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(StorageError) as refused:
        Server(url)
    assert str(refused.value) == FORM


@cases(
    "url, shown",
    {
        "password": ("postgresql://u:s%2Fecret@h/db", "postgresql://h/db"),
        "password twice": ("postgresql://u:secret@h/db?password=secret", "postgresql://h/db"),
        "several hosts": ("postgresql://u@h1:1,h2:2/db", "postgresql://h1:1,h2:2/db"),
        "IPv6": ("postgresql://u@[::1]:5432/db", "postgresql://[::1]:5432/db"),
        "short scheme": ("postgres://u@h-1.example/db", "postgresql://h-1.example/db"),
    },
)
def test_hosts_and_the_name_of_the_database_are_shown_and_no_more(url: str, shown: str) -> None:
    assert Server(url).shown == shown


@cases(
    "change, text",
    {
        "no server": (elsewhere, "cannot be reached"),
        "no database": (lambda url: f"{url}9", "there is no such database (3D000)"),
        "no user": (
            lambda url: url.replace("actions@", "nobody:secret@"),
            "the user or the password is refused (28000)",
        ),
        "no such port": (
            lambda url: url.replace(str(shared_server().port), "99999"),
            "its address is wrong",
        ),
        "unknown sslmode": (lambda url: f"{url}?sslmode=secret", "its address is wrong"),
        "unknown parameter": (
            lambda url: f"{url}?nothing=secret",
            "a parameter of its address is unknown (42704)",
        ),
        "TLS of a server that has none": (
            lambda url: f"{url}?sslmode=require",
            "cannot be reached, or has no TLS",
        ),
        "root certificate that is missing": (
            lambda url: f"{url}?sslmode=verify-full&sslrootcert=/secret.pem",
            "a file that its address names cannot be read",
        ),
        "standby wanted": (
            lambda url: f"{url}?target_session_attrs=standby",
            "no host takes writes",
        ),
    },
)
async def test_an_address_that_does_not_work_is_told_without_its_secrets(
    url: str, change: Callable[[str], str], text: str
) -> None:
    server = Server(change(url))
    with pytest.raises(StorageError) as refused:
        await server.connect()
    assert str(refused.value) == f"event store {server.shown}: {text}"
    assert "secret" not in text


async def test_the_first_host_that_takes_writes_is_found(url: str) -> None:
    port = shared_server().port
    hosts = f"127.0.0.1:{free_port()},127.0.0.1:{port}"
    assert await connected_to(url.replace(f"127.0.0.1:{port}", hosts)) == port


async def test_a_pooler_that_changes_connections_is_named(url: str) -> None:
    server = Server(url)
    async with server.connection() as connection:
        assert await connection.fetchval("SELECT 1") == 1
        # As if another connection of the pooler's came next.
        await connection.execute("DEALLOCATE ALL")
        with pytest.raises(StorageError) as refused, server.errors:
            await connection.fetchval("SELECT 1")
    assert str(refused.value) == (
        f"event store {server.shown}: "
        "a pooler is in front of it: add ?pgbouncer=true to its address (26000)"
    )


async def test_behind_a_pooler_no_statement_is_kept_on_a_connection(url: str) -> None:
    async with Server(f"{url}?pgbouncer=true").connection() as connection:
        for _ in range(2):
            assert await connection.fetchval("SELECT $1::int", 7) == 7
            assert await connection.fetchval("SELECT count(*) FROM pg_prepared_statements") == 0


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_connections_are_over_tls_as_the_address_asks(tls_url: str, mode: str) -> None:
    assert await connected_to(f"{tls_url}&sslmode={mode}") == shared_server().port


async def test_a_server_that_another_authority_vouches_for_is_refused(
    tls_url: str, tmp_path: Path
) -> None:
    other = Authority(tmp_path, "other").path
    server = Server(f"{tls_url.partition('?')[0]}?sslmode=verify-full&sslrootcert={other}")
    with pytest.raises(StorageError) as refused:
        await server.connect()
    assert str(refused.value) == (
        f"event store {server.shown}: TLS fails, or its certificate is not trusted"
    )
