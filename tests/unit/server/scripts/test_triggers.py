"""The triggers that run scripts are those of the domain's flows."""

from server.domain.flow import TRIGGERS
from server.scripts.triggers import ALL_TRIGGERS


def test_every_trigger_of_every_flow_runs_scripts() -> None:
    of_flows = [(flow, trigger) for flow, of_flow in TRIGGERS.items() for trigger in of_flow]
    assert list(ALL_TRIGGERS) == of_flows
