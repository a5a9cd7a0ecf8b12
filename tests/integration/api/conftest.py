"""A real server on each store for all tests of the API, and for each test an organisation in it.

`SUBJECT` of a module is a heading of docs/api.md. A test of it with a parameter `protocol` counts
as a row of that subject on its store.
"""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Final

import pytest

from tests.support import api_table
from tests.support.accounts import Accounts
from tests.support.api_client import ApiClient, Caller
from tests.support.issuer import AUDIENCE, Issuer, Signer
from tests.support.owners import Owners
from tests.support.postgresql import shared_server
from tests.support.real_server import RealServer

SECRET_KEY: Final = "5a" * 32
"""A key that seals secrets; PostgreSQL has none of its own."""


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    """Runs the issuer whose JWTs the server accepts."""
    with Issuer(Signer()) as running:
        yield running


@pytest.fixture(scope="session")
def options(issuer: Issuer) -> Sequence[str]:
    of_issuer = ("--jwt-issuer", issuer.url, "--jwt-audience", AUDIENCE)
    return ("--no-access-log", "--secret-key", SECRET_KEY, *of_issuer)


@pytest.fixture(scope="session")
def on_sqlite(
    tmp_path_factory: pytest.TempPathFactory, options: Sequence[str]
) -> Iterator[RealServer]:
    with RealServer(tmp_path_factory.mktemp("api") / "data", *options) as running:
        yield running


@pytest.fixture(scope="session")
def on_postgresql(
    tmp_path_factory: pytest.TempPathFactory, options: Sequence[str]
) -> Iterator[RealServer]:
    url = asyncio.run(shared_server().new_database())
    data = tmp_path_factory.mktemp("api") / "data"
    with RealServer(data, *options, database=url) as running:
        yield running


STORES: Final = {"SQLite": "on_sqlite", "PostgreSQL": "on_postgresql"}
"""By the name of a store, the fixture of its server, which all tests share."""


@pytest.fixture(params=STORES)
def server(request: pytest.FixtureRequest) -> RealServer:
    running: RealServer = request.getfixturevalue(STORES[request.param])
    return running


@pytest.fixture
def accounts(server: RealServer) -> Accounts:
    return Accounts(server.data)


@pytest.fixture
async def api(server: RealServer) -> AsyncIterator[ApiClient]:
    async with ApiClient(http=server.http, grpc=server.grpc) as client:
        yield client


@pytest.fixture(scope="session")
def owners() -> Callable[[RealServer], Owners]:
    """Returns the owners of each server."""
    return functools.cache(lambda server: Owners(server.token))


@pytest.fixture
async def caller(
    api: ApiClient, server: RealServer, owners: Callable[[RealServer], Owners]
) -> Caller:
    """The owner of a new organisation."""
    return await owners(server).take(api)


@pytest.fixture
async def stranger(
    api: ApiClient, server: RealServer, owners: Callable[[RealServer], Owners]
) -> Caller:
    """The owner of another organisation."""
    return await owners(server).take(api)


@pytest.fixture(autouse=True)
def counted(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
    subject = getattr(request.module, "SUBJECT", None)
    if subject is not None and "protocol" in request.fixturenames:
        params = request.node.callspec.params
        named = f"{subject} on {params['server']}"
        record_property(api_table.PROPERTY, [named, params["protocol"]])
