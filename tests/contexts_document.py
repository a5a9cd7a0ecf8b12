"""docs/contexts.md, made of the examples that the service answers.

Knows the order of triggers, and the heading of each.
"""

import json
import sys
from itertools import groupby
from typing import Final

from server.domain.flow import FlowType, TriggerType
from server.scripts.contract import TRIGGERS, Trigger
from server.scripts.host import contexts

_TOP: Final = """\
# Contexts

What the scripts of each trigger are told: the `context` of RunTrigger and TestAction, complete, as
GetExampleContext answers it. What its keys mean, and may be left out: [scripts.md](scripts.md).
A user is human, or has `machine` (`name`, `description`) instead of `human`.

Made by `python -m tests.contexts_document > docs/contexts.md`.
"""


def document() -> str:
    texts = [_TOP]
    by_example = sorted(TRIGGERS, key=lambda trigger: (_text(trigger), trigger))
    groups = [[*group] for _, group in groupby(by_example, _text)]
    for triggers in sorted(groups):
        heading = ", ".join(map(_heading, triggers))
        texts.append(f"## {heading}\n\n```json\n{_text(triggers[0])}\n```\n")
    return "\n".join(texts)


def _heading(trigger: Trigger) -> str:
    flow, number = trigger
    names = (FlowType(flow).name, TriggerType(number).name)
    of_flow, of_trigger = (name.lower().replace("_", " ") for name in names)
    return f"{flow}/{number} {of_flow}, {of_trigger}"


def _text(trigger: Trigger) -> str:
    return json.dumps(contexts.example(*trigger), indent=2, ensure_ascii=False)


if __name__ == "__main__":
    sys.stdout.write(document())
