"""Tries the scripts of a source: each is checked, and run once for each trigger that has it.

A run gets the example context of its trigger. What a script fetches, it fetches for real.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from server.moving.source import SourceAction, SourceOrg
from server.scripts.contract import RunRequest, Script
from server.scripts.host import contexts
from server.scripts.host.executor import Executor
from server.triggers import Trigger


class Problem(NamedTuple):
    """Says which action would fail, and why.

    Attributes:
        at: flow and trigger; None if the script fails before its function is called.
    """

    org_id: str
    action: SourceAction
    at: Trigger | None
    text: str


async def problems_of(
    orgs: Sequence[SourceOrg], executor: Executor, progress: Callable[[int, int], None]
) -> list[Problem]:
    """Returns what would fail.

    Args:
        orgs: the organisations.
        executor: runs the scripts.
        progress: called with the number of actions tried, and of all.

    Raises:
        ExecutionError: no script can be run here.
    """
    tried, total = 0, sum(len(org.actions) for org in orgs)
    found = []
    for org in orgs:
        for action in org.actions:
            found += await _problems(org, action, executor)
            tried += 1
            progress(tried, total)
    return found


async def _problems(org: SourceOrg, action: SourceAction, executor: Executor) -> list[Problem]:
    check = await executor.check(action.script, action.name, org_id=org.id)
    if check.failure is not None:
        return [Problem(org.id, action, None, check.failure.text)]
    if not check.has_function:
        return [Problem(org.id, action, None, f"it has no function {action.name}")]
    script = Script(action.id, action.name, action.script, action.timeout_ns)
    found = []
    for flow, trigger in _triggers_with(org, action.id):
        packed = contexts.pack(flow, trigger, contexts.example(flow, trigger))
        result = await executor.run(RunRequest(flow, trigger, org.id, packed, (script,)))
        if result.failed is not None and result.failed.failure is not None:
            found.append(Problem(org.id, action, (flow, trigger), result.failed.failure.text))
    return found


def _triggers_with(org: SourceOrg, action_id: str) -> Iterator[Trigger]:
    return (trigger for trigger, ids in org.triggers.items() if action_id in ids)
