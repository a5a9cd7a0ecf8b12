"""Real clients at one address, with TLS and without: an action lives its life by each.

grpc-js has a longer life in test_life.py; grpc-go is asked by `make conformance`.
"""

import asyncio
import json
import shutil
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict

from tests.support.certificates import Authority
from tests.support.real_server import ACTIONS, ONE_PORT, RealServer
from tests.support.web_clients import BufCurl, Driver
from zitadel import management_pb2 as pb
from zitadel.management_pb2_grpc import ManagementServiceStub

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

SERVICE: Final = "/zitadel.management.v1.ManagementService"
DEADLINE_S: Final = 60
ACTION: Final = {"name": "greet", "script": "function greet() {}"}
ACTIVE: Final = "ACTION_STATE_ACTIVE"
INACTIVE: Final = "ACTION_STATE_INACTIVE"


@dataclass(frozen=True, slots=True)
class Site:
    """A service at one address.

    Attributes:
        trusted: the authority of its certificate; None without TLS.
        folder: for clients' files.
    """

    server: RealServer
    trusted: Path | None
    folder: Path

    @property
    def url(self) -> str:
        return f"{'http' if self.trusted is None else 'https'}://{self.server.http}"

    @property
    def bearer(self) -> str:
        return f"Bearer {self.server.token}"


@pytest.fixture(scope="module", params=["plain", "TLS"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    options: tuple[str, ...] = ONE_PORT
    trusted: Path | None = None
    if request.param == "TLS":
        authority = Authority(folder)
        options, trusted = (*ONE_PORT, *authority.pair().options), authority.path
    with RealServer(folder / "data", *options) as server:
        yield Site(server, trusted, folder)


Call = Callable[[Site, str, Mapping[str, Any]], Awaitable[Any]]
"""Calls a method of ManagementService with a message as JSON; returns the answer as JSON."""


async def by_grpc_aio(site: Site, method: str, message: Mapping[str, Any]) -> Any:
    address, alone = site.server.http, [("grpc.use_local_subchannel_pool", 1)]
    if site.trusted is None:
        channel = grpc.aio.insecure_channel(address, options=alone)
    else:
        trusted = grpc.ssl_channel_credentials(site.trusted.read_bytes())
        channel = grpc.aio.secure_channel(address, trusted, options=alone)
    async with channel:
        call = getattr(ManagementServiceStub(channel), method)
        request = ParseDict({**message}, getattr(pb, f"{method}Request")())
        metadata = (("authorization", site.bearer),)
        return MessageToDict(await call(request, metadata=metadata, timeout=DEADLINE_S))


def by_buf(*options: str) -> Call:
    """Returns a call by buf curl, with options that say which protocol."""

    async def call(site: Site, method: str, message: Mapping[str, Any]) -> Any:
        more = () if site.trusted is None else ("--cacert", str(site.trusted))
        bearer = ("--header", f"authorization: {site.bearer}")
        files = (pb.DESCRIPTOR,)
        client = BufCurl(site.url, files, site.folder, (*options, *more, *bearer))
        outcome = await (await client.start(f"{SERVICE}/{method}", message)).outcome()
        assert (outcome.code, outcome.error) == (0, "")
        (answer,) = outcome.messages
        return answer

    return call


ROUTES: Final = {
    "CreateAction": ("POST", ACTIONS),
    "GetAction": ("GET", f"{ACTIONS}/{{id}}"),
    "DeactivateAction": ("POST", f"{ACTIONS}/{{id}}/_deactivate"),
    "ReactivateAction": ("POST", f"{ACTIONS}/{{id}}/_reactivate"),
    "ListActions": ("POST", f"{ACTIONS}/_search"),
    "DeleteAction": ("DELETE", f"{ACTIONS}/{{id}}"),
}


async def by_curl(site: Site, method: str, message: Mapping[str, Any]) -> Any:
    """Calls over JSON; curl offers h2 and http/1.1, and must get http/1.1."""
    verb, path = ROUTES[method]
    sent = json.dumps({key: value for key, value in message.items() if key != "id"})
    trusted = () if site.trusted is None else ("--cacert", str(site.trusted))
    process = await asyncio.create_subprocess_exec(
        *("curl", "-sS", "-X", verb, "-w", "\n%{http_version}", *trusted),
        *("-H", f"Authorization: {site.bearer}", "-H", "Content-Type: application/json"),
        *(() if verb in {"GET", "DELETE"} else ("-d", sent)),
        site.url + path.format_map(message),
        stdout=PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    answer, version = out.decode().rsplit("\n", 1)
    assert version == "1.1"
    return json.loads(answer)


CLIENTS: Final[Mapping[str, Call]] = {
    "grpc.aio": by_grpc_aio,
    # Over TLS it would offer http/1.1 besides h2, and get it.
    "buf curl, gRPC": by_buf("--protocol", "grpc", "--http2-prior-knowledge"),
    "buf curl, gRPC-Web": by_buf("--protocol", "grpcweb"),
    # A machine may have none; tests/integration/listener/test_tls.py offers what it does.
    **({"curl": by_curl} if shutil.which("curl") else {}),
}


@pytest.mark.parametrize("client", CLIENTS)
async def test_an_action_lives_its_life(site: Site, client: str) -> None:
    call = CLIENTS[client]
    id = (await call(site, "CreateAction", ACTION))["id"]
    for method, state in (("DeactivateAction", INACTIVE), ("ReactivateAction", ACTIVE)):
        await call(site, method, {"id": id})
        assert (await call(site, "GetAction", {"id": id}))["action"]["state"] == state
    await call(site, "DeleteAction", {"id": id})
    assert "result" not in await call(site, "ListActions", {})


async def test_a_page_of_its_own_origin_gets_http1(site: Site, driver: Driver) -> None:
    own = f"{ACTIONS}/:id"
    calls = [
        ["POST", ACTIONS, ACTION],
        ["POST", f"{own}/_deactivate", {}],
        ["POST", f"{own}/_reactivate", {}],
        ["GET", own, None],
        ["DELETE", own, None],
    ]
    asked = {"url": site.url, "token": site.server.token, "calls": calls}
    seen = await driver.visit("service", "life", **asked)
    assert seen["statuses"] == [200] * len(calls)
    assert {*seen["protocols"]} == {"http/1.1"}
