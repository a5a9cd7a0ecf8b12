"""Adds names of the script to the engine's text of a failure.

Rule 1: no I/O, and few imports: workers load this module.
Rule 2: only adds to a text; adds nothing if it is not sure of a name.
"""

import json
import re
from collections.abc import Callable
from typing import Final, TypeAlias

from server.scripts.sandbox.callees import SOURCE_MAX, callees, place_of

Ask: TypeAlias = Callable[[str], str]
"""Calls `js/explain.js` with JSON, and returns its JSON."""

NO_PLACE: Final = "-"
"""Stack of a failure that `js/run.js` reports itself, and no script threw."""

NOT_FOUND: Final = "function not found"
NOT_A_FUNCTION: Final = "TypeError: not a function"
A_PROMISE: Final = "could not convert [object Promise] to error"

NAMES_MAX: Final = 5
"""Max names in a text."""

NAME_MAX: Final = 40
"""Max characters of a name in a text."""

_DECLARATION: Final = re.compile(r"(?<![\w$.])(?:const|let|class)\s+([A-Za-z_$][\w$]*)", re.ASCII)
_PARAMETERS: Final = (
    r"(?<![\w$.])"
    r"(?:function\s+{0}\s*|{0}\s*[=:]\s*(?:async\s+)?(?:function\b[^(]*)?)\(([\w$,\s]*)\)"
)
_CHAIN: Final = re.compile(r"[A-Za-z_$][\w$]*(?:\??\.[A-Za-z_$][\w$]*)*", re.ASCII)


def of_call(text: str, stack: str, name: str, source: str, ask: Ask) -> str:
    """Returns the explained text of a thrown value, or of a function that cannot be called."""
    if text == NOT_FOUND and stack == NO_PLACE:
        return f"{text}: expected {_quoted(name)}, {_found(source, ask)}"
    if text == NOT_A_FUNCTION and (place := place_of(stack)):
        candidates = _candidates(callees(source, *place), name, source, ask)
        if candidates:
            return f"TypeError: {' or '.join(candidates)} is not a function"
    return text


def of_result(text: str, name: str) -> str:
    """Returns the explained text about the result of the function."""
    if text != A_PROMISE:
        return text
    return f"{text}: {_quoted(name)} is async or returns a promise, and nothing awaits it"


def _found(source: str, ask: Ask) -> str:
    declared = [*dict.fromkeys(_DECLARATION.findall(source[:SOURCE_MAX]))][:NAMES_MAX]
    types, functions = _types_and_functions(ask, "", declared)
    is_function = [name for name, type_ in zip(declared, types, strict=True) if type_ == "function"]
    names = [*dict.fromkeys([*functions, *is_function])]
    if not names:
        return "the script has no function"
    more = f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else ""
    return f"the script has {', '.join(map(_quoted, names[:NAMES_MAX]))}{more}"


def _candidates(found: list[str], name: str, source: str, ask: Ask) -> list[str]:
    """Returns the callees that are not known to be functions."""
    parameters = _parameters(name, source)
    chains = [callee for callee in found if _CHAIN.fullmatch(callee)]
    types = dict(
        zip(chains, _types_and_functions(ask, ",".join(parameters), chains)[0], strict=True)
    )
    left = [callee for callee in found if types.get(callee) != "function"]
    # The types of members of `ctx` and `api` are known; a function's own variables are not visible.
    certain = [
        callee for callee in left if types.get(callee) and callee.split(".")[0] in parameters
    ]
    return certain[:1] or left


def _parameters(name: str, source: str) -> list[str]:
    """Returns the names by which the script calls `ctx` and `api`."""
    found = re.search(_PARAMETERS.format(re.escape(name)), source[:SOURCE_MAX])
    names = [each.strip() for each in found[1].split(",")] if found else ["ctx", "api"]
    is_fit = all(each.isascii() and each.isidentifier() for each in names)
    return names[:2] if is_fit else []


def _types_and_functions(
    ask: Ask, parameters: str, expressions: list[str]
) -> tuple[list[str], list[str]]:
    answer = json.loads(ask(json.dumps({"parameters": parameters, "expressions": expressions})))
    return answer["types"], answer["functions"]


def _quoted(name: str) -> str:
    return json.dumps(name[:NAME_MAX], ensure_ascii=False)
