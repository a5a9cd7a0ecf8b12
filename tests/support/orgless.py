"""An action in an organisation that nobody made: for tests of stores and queues alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from server.commands.actions import CreateAction
from server.commands.base import Change, Facts
from server.domain import action as domain
from server.domain.aggregates import Key, action_name
from server.domain.org import Org


@dataclass(frozen=True, slots=True)
class CreateOrglessAction(CreateAction):
    """Takes for granted what `CreateAction` looks up: that the organisation lives."""

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (self.key,)

    def decide(self, facts: Facts) -> Sequence[Change]:
        event = domain.create(
            Org(self.org_id, "granted", 1, 1, 1, 1),
            org_id=self.org_id,
            name=self.name,
            script=self.script,
            timeout_ns=self.timeout_ns,
            allowed_to_fail=self.allowed_to_fail,
            name_owner=facts.owner(action_name(self.org_id, self.name)),
        )
        return (Change(self.key, self.org_id, event),)
