"""Trials: what a payload asks, and what is answered."""

import json

import pytest

from server.bridge.payload_values import BadPayload
from server.bridge.payloads import read_call
from server.bridge.trials import Trial, trial_answer
from tests.support.tables import cases


def test_a_trial_is_read_as_a_call_is() -> None:
    assert read_call(b'{"trial":{"organisation":"100","once":"a"}}') == Trial("100")


@cases(
    "payload, text",
    {
        "no object": (b'{"trial":1}', "trial: expected an object, got a number"),
        "no organisation": (b'{"trial":{}}', "trial.organisation: expected text, got nothing"),
    },
)
def test_a_trial_that_asks_nothing_is_refused(payload: bytes, text: str) -> None:
    with pytest.raises(BadPayload, match=text):
        read_call(payload)


def test_an_answer_names_actions_by_trigger() -> None:
    answer = json.loads(trial_answer("200", {(2, 4): ["b", "a"]}, metadata="read"))
    assert answer == {
        "trial": {"organisation": "200", "actions": {"2/4": ["b", "a"]}, "metadata": "read"}
    }
    nothing: dict[str, object] = {"organisation": None, "actions": {}, "metadata": "no account"}
    assert json.loads(trial_answer(None, {})) == {"trial": nothing}
