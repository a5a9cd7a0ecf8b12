"""The flows, their triggers, and the order of both."""

from server.triggers import ALL_TRIGGERS, TRIGGERS


def test_pairs_are_those_of_the_api_in_the_order_of_its_lists() -> None:
    of_users = ((1, 1), (1, 2), (1, 3))
    of_tokens = ((2, 4), (2, 5))
    of_logins = ((3, 1), (3, 2), (3, 3))
    assert (*of_users, *of_tokens, *of_logins, (4, 6)) == ALL_TRIGGERS


def test_every_trigger_of_every_flow_runs_scripts() -> None:
    of_flows = [(flow, trigger) for flow, of_flow in TRIGGERS.items() for trigger in of_flow]
    assert list(ALL_TRIGGERS) == of_flows
