"""docs/contexts.md, made of the schema of contexts and the examples that the service answers.

Knows the order of triggers, and the heading of each.
"""

import json
import sys
from collections.abc import Mapping
from itertools import groupby
from typing import Any, Final, TypeAlias

import msgspec

from server.scripts.host import contexts
from server.scripts.host.context_schema import CONTEXTS, INTEGER_MAX
from server.triggers import ALL_TRIGGERS, FlowType, Trigger, TriggerType

_Schema: TypeAlias = Mapping[str, Any]

_TOP: Final = """\
# Contexts

The `context` of RunTrigger and TestAction: its keys for each trigger, with a complete example as
GetExampleContext answers it, then the keys of the objects in it. How scripts see them, and which
other forms are accepted: [scripts.md](scripts.md#contexts).

A key that is missing or null has the value in the last column; an object without one is as if all
its keys were missing. Unknown keys are ignored.

Made by `python -m tests.support.contexts_document > docs/contexts.md`.
"""


def document() -> str:
    references, objects = msgspec.json.schema_components(
        [CONTEXTS[trigger] for trigger in ALL_TRIGGERS], ref_template="{name}"
    )
    names = {
        trigger: schema["$ref"] for trigger, schema in zip(ALL_TRIGGERS, references, strict=True)
    }
    texts = [_TOP]
    by_example = sorted(ALL_TRIGGERS, key=lambda trigger: (_example(trigger), trigger))
    for triggers in sorted([*group] for _, group in groupby(by_example, _example)):
        first = triggers[0]
        texts += [
            f"## {', '.join(map(_heading, triggers))}\n",
            _table(objects[names[first]]),
            f"```json\n{_example(first)}\n```\n",
        ]
    texts.append("## Objects\n")
    for name, schema in sorted(objects.items()):
        if name not in names.values():
            texts += [f"### {name}\n", f"{schema['description']}\n", _table(schema)]
    return "\n".join(texts)


def _heading(trigger: Trigger) -> str:
    flow, number = trigger
    names = (FlowType(flow).name, TriggerType(number).name)
    of_flow, of_trigger = (name.lower().replace("_", " ") for name in names)
    return f"{flow}/{number} {of_flow}, {of_trigger}"


def _example(trigger: Trigger) -> str:
    return json.dumps(contexts.example(*trigger), indent=2, ensure_ascii=False)


def _table(schema: _Schema) -> str:
    rows = ["| key | value | if missing |", "|---|---|---|"]
    for key, value in schema["properties"].items():
        unset = f"`{json.dumps(value['default'])}`" if "default" in value else ""
        rows.append(f"| {key} | {_kind(value)} | {unset} |")
    return "\n".join((*rows, ""))


def _kind(schema: _Schema) -> str:
    """Returns a type of JSON schema in words."""
    if "anyOf" in schema:
        return " or ".join(map(_kind, schema["anyOf"]))
    if "$ref" in schema:
        return f"[{schema['$ref']}](#{schema['$ref'].lower()})"
    match schema:
        case {"type": "array", "items": items}:
            return f"array of {_kind(items)}"
        case {"type": "object", "additionalProperties": values}:
            return f"object of {_kind(values)}"
        case {"type": "string", "format": "date-time"}:
            return "date"
        case {"type": "integer", "minimum": least, "maximum": most}:
            kind = f"integer, {least} or more" if most == INTEGER_MAX else f"{least} to {most}"
            return f"{kind} ({schema['description']})" if "description" in schema else kind
    return str(schema.get("type", "any JSON"))


if __name__ == "__main__":
    sys.stdout.write(document())
