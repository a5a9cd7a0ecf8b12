"""The log of runs over each protocol, and who may have actions run."""

from dataclasses import replace

from actions.v1 import execution_pb2 as run
from tests.support.accounts import Accounts
from tests.support.api_client import Caller
from tests.support.prepared import action, set_trigger
from tests.support.runs import THROWS, a_test, noting, run_request
from zitadel import management_pb2 as pb


async def test_runs_are_listed_newest_first_page_by_page(protocol: str, caller: Caller) -> None:
    id = await noting(caller, "f")
    await set_trigger(caller, id)
    ids = [(await caller.get(run_request())).run_id for _ in range(5)]
    for request in (run.ListRunsRequest(limit=2), run.ListRunsRequest(limit=2, action_id=id)):
        pages = []
        while True:
            answer = await caller.ask(protocol, request)
            pages.append([logged.id for logged in answer.response.runs])
            request.page_token = answer.response.next_page_token
            if not request.page_token:
                break
        assert pages == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]


async def test_a_logged_run_says_who_ran_what(
    protocol: str, caller: Caller, stranger: Caller
) -> None:
    script = "function f(ctx, api) { require('zitadel/log').warn('said %d', 5) }"
    id = await action(caller, "f", script=script)
    await set_trigger(caller, id, flow="3", trigger="1")
    answer = await caller.ask(protocol, run_request("3", "1"))
    (logged,) = (await caller.ask(protocol, run.ListRunsRequest())).response.runs
    assert (logged.id, logged.state) == (answer.response.run_id, run.RUN_STATE_SUCCEEDED)
    assert (logged.flow_type, logged.trigger_type) == ("3", "1")
    assert logged.actions == answer.response.actions
    assert [(line.level, line.text) for line in logged.actions[0].logs] == [
        (run.LOG_LEVEL_WARN, "said 5")
    ]
    me = await caller.get(pb.GetActionRequest(id=id))
    assert logged.user_id.isdigit()
    assert logged.started_at.ToNanoseconds() > me.action.details.creation_date.ToNanoseconds()
    assert not (await stranger.ask(protocol, run.ListRunsRequest())).response.runs
    assert not (await stranger.ask(protocol, run.ListRunsRequest(action_id=id))).response.runs


async def test_runs_are_found_by_their_attributes(protocol: str, caller: Caller) -> None:
    good = await noting(caller, "good")
    bad = await action(caller, "bad", script=THROWS.format("bad"), allowed_to_fail=True)
    await set_trigger(caller, good, flow="2", trigger="5")
    await set_trigger(caller, good, bad)
    first = (await caller.get(run_request("2", "5"))).run_id
    second = (await caller.get(run_request("2", "4"))).run_id
    for request, expected in (
        (run.ListRunsRequest(action_id=bad), [second]),
        (run.ListRunsRequest(action_id="404"), []),
        (run.ListRunsRequest(flow_type="2", trigger_type="5"), [first]),
        (run.ListRunsRequest(trigger_type="4"), [second]),
        (run.ListRunsRequest(flow_type="2"), [second, first]),
        (run.ListRunsRequest(flow_type="1"), []),
        (run.ListRunsRequest(only_failed=True), [second]),
        (run.ListRunsRequest(only_failed=True, action_id=good), []),
    ):
        answer = await caller.ask(protocol, request)
        assert [logged.id for logged in answer.response.runs] == expected, request


async def test_runs_of_an_action_have_a_path_of_their_own(caller: Caller) -> None:
    id = await noting(caller, "f")
    await set_trigger(caller, id)
    run_id = (await caller.get(run_request())).run_id
    url = f"http://{caller.api.http}/v1/actions/{id}/runs?limit=1"
    headers = {"authorization": f"Bearer {caller.token}", "x-zitadel-orgid": caller.org_id}
    async with caller.api.session.get(url, headers=headers) as got:
        assert [logged["id"] for logged in (await got.json())["runs"]] == [run_id]


async def test_a_runner_runs_and_does_nothing_else(
    protocol: str, caller: Caller, accounts: Accounts
) -> None:
    await set_trigger(caller, await noting(caller, "f"))
    user = await accounts.user(caller.org_id, "ORG_ACTION_RUNNER")
    runner = replace(caller, token=(await accounts.token(user))[1])
    assert (await runner.ask(protocol, run_request())).code == 0
    (logged,) = (await caller.get(run.ListRunsRequest())).runs
    assert logged.user_id == user
    for request in (run.ListRunsRequest(), a_test("s"), pb.ListActionsRequest()):
        assert (await runner.ask(protocol, request)).code == 7
