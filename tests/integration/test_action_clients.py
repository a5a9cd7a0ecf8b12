"""A real client of ZITADEL's Action API and bridge connect find the same stand-in for it."""

import json
from collections.abc import AsyncIterator

import pytest
from google.protobuf import json_format

from server.connecting.actions_api import ActionsApi, Execution, TargetForm
from server.zitadel_client import zitadel_client
from tests.support.action_service import ActionMessages, CheckedActions, action_service, printed
from tests.support.upstream_actions import FUNCTIONS
from tests.support.upstream_api import TOKEN, upstream
from tests.support.web_clients import NODE_CLIENTS

ENDPOINT = "https://actions.example/targets/1"


@pytest.fixture
async def actions(node: str) -> CheckedActions:
    """Targets and executions in the messages of @zitadel/client."""
    made = CheckedActions(version="v2beta")
    made.messages = ActionMessages("v2beta", await printed(node, NODE_CLIENTS / "actions.mjs"))
    return made


@pytest.fixture
async def address(actions: CheckedActions) -> AsyncIterator[str]:
    async with action_service(actions, TOKEN) as served:
        yield served


async def test_zitadel_client_makes_and_calls_a_target(
    node: str, actions: CheckedActions, address: str
) -> None:
    script = NODE_CLIENTS / "actions.mjs"
    read = json.loads(await printed(node, script, f"http://{address}", TOKEN, ENDPOINT))
    assert read == {
        "functions": [*FUNCTIONS],
        "target": ["of node", "restCall", True],
        "timeout": [2, 500_000_000],
        "endpoint": ENDPOINT,
        "total": 1,
        "keys": [True, True],
        "executions": [["function", "preuserinfo", True]],
        "refused": "Errors.Target.NotFound (COMMAND-xj14f2cccn)",
    }
    assert actions.done == [
        "CreateTarget", "SetExecution", "UpdateTarget", "SetExecution", "DeleteTarget"
    ]  # fmt: skip
    assert (actions.targets, actions.lists()) == ({}, {})


async def test_connecting_writes_the_messages_of_zitadel_client(actions: CheckedActions) -> None:
    form = TargetForm(ENDPOINT, 2500, interrupts=True)
    async with upstream() as there, zitadel_client(there.url, TOKEN) as client:
        there.actions_v2 = actions
        api = ActionsApi(client)
        assert (await api.read()).functions == {*FUNCTIONS}
        id, key = await api.create_target("actions", form)
        await api.set_execution(Execution({"function": {"name": "preuserinfo"}}, (id,)))
        await api.update_target(id, form)
        assert await api.new_key(id) != key
        found = await api.read()
        assert form.fits(found.targets[0])
        assert found.executions[0].target_ids == (id,)
        await api.delete_target(id)
    with pytest.raises(json_format.ParseError, match='no field named "later"'):
        actions.call("CreateTarget", {"later": 1})
