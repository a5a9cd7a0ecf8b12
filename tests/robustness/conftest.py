"""One real server for all tests of a file."""

from collections.abc import Iterator

import pytest

from tests.robustness.raw import Client
from tests.robustness.sites import Site
from tests.support.real_server import ACTIONS, RealServer


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with RealServer(tmp_path_factory.mktemp("site") / "data") as server:
        other = server.command("org", "create", "Other")
        body = {"name": "theirs", "script": "s"}
        foreign = server.ask("POST", ACTIONS, body, org_id=other["id"])
        with Client(server.http) as good_caller:
            yield Site(server, server.new_action(), foreign["id"], good_caller)
