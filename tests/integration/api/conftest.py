"""A real server for all tests of the API, and for each test an organisation of its own in it.

`SUBJECT` of a module is a heading of docs/api.md. A test of it with a parameter `protocol` counts
as a row of that subject.
"""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from tests.support import api_table
from tests.support.accounts import Accounts
from tests.support.api_client import ApiClient, Caller
from tests.support.issuer import AUDIENCE, Issuer, Signer
from tests.support.real_server import RealServer


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    """Runs the issuer whose JWTs the server accepts."""
    with Issuer(Signer()) as running:
        yield running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[RealServer]:
    data = tmp_path_factory.mktemp("api") / "data"
    jwt = ("--jwt-issuer", issuer.url, "--jwt-audience", AUDIENCE)
    with RealServer(data, "--no-access-log", *jwt) as running:
        yield running


@pytest.fixture
def accounts(server: RealServer) -> Accounts:
    return Accounts(server.data)


@pytest.fixture
async def api(server: RealServer) -> AsyncIterator[ApiClient]:
    async with ApiClient(http=server.http, grpc=server.grpc) as client:
        yield client


@pytest.fixture
async def caller(api: ApiClient, accounts: Accounts) -> Caller:
    """The owner of a new organisation."""
    org_id = await accounts.org()
    _, token = await accounts.token(await accounts.user(org_id, "ORG_OWNER"))
    return Caller(api, token, org_id)


@pytest.fixture
async def stranger(api: ApiClient, accounts: Accounts) -> Caller:
    """The owner of another organisation."""
    org_id = await accounts.org()
    _, token = await accounts.token(await accounts.user(org_id, "ORG_OWNER"))
    return Caller(api, token, org_id)


@pytest.fixture(autouse=True)
def counted(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
    subject = getattr(request.module, "SUBJECT", None)
    if subject is not None and "protocol" in request.fixturenames:
        protocol = request.node.callspec.params["protocol"]
        record_property(api_table.PROPERTY, [subject, protocol])
