"""Makes commands that write actions, with defaults for all that a test does not look at.

A new field of actions has its default here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from server.commands.actions import CreateAction, UpdateAction
from server.commands.base import Change, Facts
from server.domain.aggregates import Key, Name
from server.domain.conditions import ANY_SEQUENCE, Condition
from server.domain.org import Org


class _Granted:
    """The facts that a creation needs, with an organisation that nobody made."""

    def __init__(self, org_id: str, facts: Facts) -> None:
        self._org = Org(org_id, "granted", 1, 1, 1, 1)
        self._facts = facts

    def find(self, _: type[Org], key: Key) -> Org:
        return self._org

    def owner(self, name: Name) -> str | None:
        return self._facts.owner(name)


@dataclass(frozen=True, slots=True)
class CreateOrglessAction(CreateAction):
    """Takes for granted what `CreateAction` looks up: that the organisation lives."""

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (self.key,)

    def decide(self, facts: Facts) -> Sequence[Change]:
        granted: Any = _Granted(self.org_id, facts)
        return CreateAction.decide(self, granted)


def create_action(
    org_id: str,
    action_id: str,
    name: str,
    script: str = "",
    *,
    timeout_ns: int = 0,
    allowed_to_fail: bool = False,
    editor: str = "",
) -> CreateAction:
    return CreateAction(org_id, action_id, name, script, timeout_ns, allowed_to_fail, editor)


def create_orgless_action(
    org_id: str,
    action_id: str,
    name: str,
    script: str = "",
    *,
    timeout_ns: int = 0,
    allowed_to_fail: bool = False,
    editor: str = "",
) -> CreateOrglessAction:
    return CreateOrglessAction(org_id, action_id, name, script, timeout_ns, allowed_to_fail, editor)


def update_action(
    org_id: str,
    action_id: str,
    name: str,
    script: str = "",
    *,
    timeout_ns: int = 0,
    allowed_to_fail: bool = False,
    editor: str = "",
    if_sequence: Condition = ANY_SEQUENCE,
) -> UpdateAction:
    return UpdateAction(
        org_id, action_id, name, script, timeout_ns, allowed_to_fail, editor, if_sequence
    )
