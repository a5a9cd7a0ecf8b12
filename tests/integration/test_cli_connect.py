"""bridge connect, as docs/bridge.md has it: a real service, and a stand-in for the ZITADEL."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.support.commandline import TIMEOUT_S, Outcome, Server, run
from tests.support.tables import cases
from tests.support.upstream_actions import FUNCTIONS
from tests.support.upstream_api import TOKEN, Upstream, action, upstream

pytestmark = pytest.mark.timeout(240)  # a test is some processes, one after another


class Here(Server):
    """The service, with one organisation."""

    @property
    def org_id(self) -> str:
        (org,) = json.loads(run("org", "list", "--json", folder=self.folder).out)
        return str(org["id"])

    @property
    def public_url(self) -> str:
        return f"http://{self.listen}"

    async def run(self, *arguments: str) -> Outcome:
        return await asyncio.to_thread(run, *arguments, folder=self.folder)

    async def targets(self, there: Upstream) -> list[Any]:
        """Returns the targets that `bridge connect` made for a ZITADEL."""
        listed = json.loads((await self.run("bridge", "target", "list", "--json")).out)
        return [target for target in listed if target["name"] == there.url.partition("://")[2]]

    def connecting(self, there: Upstream) -> tuple[str, ...]:
        """Returns the arguments of `bridge connect`."""
        return ("connect", there.url, "--token-file", "token", "--public-url", self.public_url)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    folder = tmp_path_factory.mktemp("here")
    (folder / "token").write_text(f"{TOKEN}\n")
    with Here(folder=folder) as server:
        yield server


@pytest.fixture(scope="module")
def org_id(here: Here) -> str:
    return here.org_id


@pytest.fixture
async def there(org_id: str) -> AsyncIterator[Upstream]:
    """A ZITADEL with the same organisation, and one more."""
    async with upstream() as served:
        served.orgs = {org_id: [], "900000000000000001": []}
        yield served


async def test_a_zitadel_is_connected_once(here: Here, there: Upstream, org_id: str) -> None:
    off = action("2", "off", state="ACTION_STATE_INACTIVE")
    there.orgs[org_id] = [action("1", "greet"), off]
    there.flows[org_id, 2] = {4: ["1", "2"], 5: ["1"]}
    other = there.actions_v2.add_target("of another")
    there.actions_v2.calls_at("preuserinfo", other)
    before = there.actions_v2.done.copy()
    named = there.url.partition("://")[2]
    plan = (
        "plan:\n"
        f"  create target {named} here, for 1 organisation ({org_id}={org_id})\n"
        "  create a target in ZITADEL, time limit 10s\n"
        "  store its signing key here\n"
        "  have ZITADEL call it at function preuserinfo, after 1 other\n"
        "  have ZITADEL call it at function preaccesstoken\n"
        "  have ZITADEL call it at function presamlresponse\n"
    )
    by_hand = (
        "by hand:\n"
        f"  deactivate in ZITADEL, organisation {org_id}: greet; it runs its own actions first,"
        " and then these\n"
        f"  serve {here.public_url} by TLS: signatures prove who calls, and hide nothing of what is"
        " said\n"
        "  let ZITADEL call 127.0.0.1: 4.15.2 and newer need ZITADEL_HTTPCLIENT_DENYLIST without"
        " it\n"
    )
    arguments = here.connecting(there)
    assert await here.run("bridge", *arguments, "--dry-run") == Outcome(0, plan + by_hand, "")
    assert (there.actions_v2.done, await here.targets(there)) == (before, [])

    done = await here.run("bridge", *arguments)
    (target,) = await here.targets(there)
    connected = f"connected: ZITADEL calls target {target['id']} here at {', '.join(FUNCTIONS)}\n"
    assert done == Outcome(0, plan + by_hand + connected, "")
    assert (target["signing_key"], target["orgs"]) == ("set", [f"{org_id}={org_id}"])

    there.flows.clear()
    again = await here.run("bridge", *arguments, "--json")
    (there_id,) = there.actions_v2.targets.keys() - {other}
    assert json.loads(again.out) == {
        "result": "unchanged",
        "changes": [],
        "byHand": [line.strip() for line in by_hand.splitlines()[2:]],
        "target": {"here": target["id"], "there": there_id},
    }
    for outcome in (done, again):
        assert TOKEN not in outcome.out
        assert all(
            each["signingKey"] not in outcome.out for each in there.actions_v2.targets.values()
        )


async def test_a_command_that_is_killed_is_completed_by_the_next(
    here: Here, there: Upstream
) -> None:
    call = there.actions_v2.call
    process: Process | None = None

    def killing(method: str, asked: dict[str, Any]) -> dict[str, Any]:
        answer = call(method, asked)
        if there.actions_v2.done.count("SetExecution") == 2:
            assert process is not None
            process.kill()
        return answer

    there.actions_v2.call = killing  # type: ignore[method-assign]
    arguments = [sys.executable, "-m", "server", "bridge", *here.connecting(there)]
    process = await asyncio.create_subprocess_exec(*arguments, cwd=here.folder, stdout=DEVNULL)
    async with asyncio.timeout(TIMEOUT_S):
        assert await process.wait() < 0
    assert len(there.actions_v2.lists()) == 2
    there.actions_v2.call = call  # type: ignore[method-assign]
    done = await here.run("bridge", *here.connecting(there))
    last = "have ZITADEL call it at function presamlresponse"
    assert (done.status, done.out.splitlines()[:3]) == (0, ["plan:", f"  {last}", "by hand:"])
    assert len(there.actions_v2.lists()) == 3


async def test_organisations_with_other_ids_are_bound_by_option(
    here: Here, there: Upstream, org_id: str
) -> None:
    del there.orgs[org_id]
    refused = await here.run("bridge", *here.connecting(there))
    assert (refused.status, there.actions_v2.done) == (1, [])
    assert refused.err.startswith("error: no organisation has the same id here and in ZITADEL, so")
    pair = f"900000000000000001={org_id}"
    options = ("--org", pair, "--timeout", "2.5", "--ignore-failures", "--function", "preuserinfo")
    assert (await here.run("bridge", *here.connecting(there), *options)).status == 0
    (target,) = await here.targets(there)
    assert (target["orgs"], target["timeout"], target["ignores_failures"]) == ([pair], "2.5s", True)
    (made,) = there.actions_v2.targets.values()
    assert (made["timeout"], made["restCall"]) == ("2.500s", {"interruptOnError": False})
    assert there.actions_v2.lists() == {'{"function": {"name": "preuserinfo"}}': [made["id"]]}


async def test_a_denied_public_url_is_told(here: Here, there: Upstream) -> None:
    there.actions_v2.denies_private = True
    refused = await here.run("bridge", *here.connecting(there))
    assert refused.status == 1
    assert refused.err.startswith(f"error: POST {there.url}/v2/actions/targets: answered 400: ")
    assert "set ZITADEL_HTTPCLIENT_DENYLIST there" in refused.err


@cases(
    "arguments, status, text",
    {
        "no URL": (
            ("connect", "zitadel.example"),
            2,
            "expected a URL, https://HOST, got 'zitadel.",
        ),
        "no token": (
            ("connect", "http://127.0.0.1:1", "--public-url", "https://us.example"),
            2,
            "Missing option '--token-file'",
        ),
        "a public URL with a query": (
            ("connect", "http://z.example", "--token-file", "token", "--public-url", "https://u?a"),
            2,
            "expected a URL, https://HOST, got 'https://u?a'",
        ),
        "a file without a token": (
            (
                *("connect", "http://127.0.0.1:1", "--token-file", "/dev/null"),
                *("--public-url", "https://us.example"),
            ),
            1,
            "/dev/null: expected a token, one line",
        ),
    },
)
def test_misuse_is_told(here: Here, arguments: tuple[str, ...], status: int, text: str) -> None:
    refused = run("bridge", *arguments, folder=here.folder)
    assert (refused.status, refused.out) == (status, "")
    assert text in refused.err


async def test_a_connection_is_compared_and_taken_out(
    here: Here, there: Upstream, org_id: str
) -> None:
    first, second = there.actions_v2.add_target("first"), there.actions_v2.add_target("second")
    there.actions_v2.calls_at("preuserinfo", first, second)
    before = (there.actions_v2.lists(), dict(there.actions_v2.targets))
    with_token = (there.url, "--token-file", "token")
    assert (await here.run("bridge", *here.connecting(there))).status == 0
    (target,) = await here.targets(there)
    (own,) = there.actions_v2.targets.keys() - {first, second}
    fine = await here.run("bridge", "status", *with_token)
    assert fine == Outcome(
        0,
        f"here           {target['id']}\n"
        f"there          {own}\n"
        f"endpoint       {here.public_url}/targets/{target['id']}\n"
        "organisations  1\n"
        "call           proved\n"
        "nothing is wrong\n",
        "",
    )
    tried = await here.run("bridge", "test", *with_token, "--json")
    row = {"target": target["id"], "organisation": org_id, "call": "proved"}
    assert tried.status == 0
    of_org = {"organisation_here": org_id, "actions": [], "metadata": "no account"}
    assert json.loads(tried.out) == [{**row, **of_org}]

    there.actions_v2.calls_at("preaccesstoken")
    there.actions_v2.call("UpdateTarget", {"id": own, "expirationSigningKey": "0s"})
    there.orgs[org_id] = [action("1", "greet")]
    there.flows[org_id, 4] = {6: ["1"]}
    compared = await here.run("bridge", "status", *with_token, "--json")
    assert compared.status == 1
    tried = await here.run("bridge", "test", *with_token, "--org", "404")
    assert tried.status == 1
    lines = tried.out.splitlines()
    heads = "TARGET ORGANISATION CALL ORGANISATION HERE ACTIONS METADATA"
    assert lines[0].split() == heads.split()
    assert lines[1].startswith(f"{target['id']}  404           answered 401: its signing key is an")
    wrong = json.loads(compared.out)["wrong"]
    assert [line.partition(":")[0] for line in wrong] == [
        f"target {own} in ZITADEL is not called at function preaccesstoken",
        "POST http",
        f"deactivate in ZITADEL, organisation {org_id}",
    ]

    plan = (
        "plan:\n"
        "  take it out of function preuserinfo in ZITADEL, which keeps 2 others\n"
        "  take it out of function presamlresponse in ZITADEL\n"
        f"  delete target {own} in ZITADEL\n"
        f"  delete target {target['id']} here\n"
    )
    dry = await here.run("bridge", "disconnect", *with_token, "--dry-run")
    assert dry == Outcome(0, plan, "")
    done = await here.run("bridge", "disconnect", *with_token)
    last = "disconnected; reactivate in ZITADEL what it is to run itself\n"
    assert done == Outcome(0, plan + last, "")
    assert (there.actions_v2.lists(), there.actions_v2.targets) == before


async def test_a_wrong_token_is_told_and_not_shown(here: Here, there: Upstream) -> None:
    (here.folder / "wrong").write_text("a-wrong-token")
    options = ("--token-file", "wrong", "--public-url", here.public_url)
    refused = await here.run("bridge", "connect", there.url, *options)
    assert (refused.status, refused.out) == (1, "")
    assert "is the token (--token-file) one of that ZITADEL, and still valid?" in refused.err
    assert "a-wrong-token" not in refused.err
