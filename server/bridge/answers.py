"""Makes the answer of a function from the effects of a run.

Follows docs/bridge.md. The members are `append_claims`, `append_log_claims`,
`set_user_metadata`, `append_attribute`.

Rule 1: the members of an answer replace those of the targets before, which the payload has as
`response`: an answer repeats them.
Rule 2: a claim or an attribute that is there stays, as among actions; metadata is replaced.
"""

import base64
from dataclasses import dataclass
from typing import Final, TypeAlias

from server.bridge.calls import JsonObject
from server.scripts.contract import Effects, JsonValue
from server.scripts.host.claims import RESERVED_PREFIX

Entries: TypeAlias = list[JsonValue]

_CLAIMS: Final = "append_claims"
_LOG_CLAIMS: Final = "append_log_claims"
_METADATA: Final = "set_user_metadata"
_ATTRIBUTES: Final = "append_attribute"
_LISTS: Final = (_CLAIMS, _LOG_CLAIMS, _METADATA, _ATTRIBUTES)


@dataclass(frozen=True, slots=True)
class PreviousAnswer:
    """Holds what the targets before this one answered.

    Attributes:
        lists: by key; only those that there are.
    """

    lists: dict[str, Entries]

    def claims(self) -> JsonObject:
        """Returns the claims, each with the value that it was given first."""
        found: JsonObject = {}
        for entry in self.lists.get(_CLAIMS, ()):
            if isinstance(entry, dict) and isinstance(key := entry.get("key"), str):
                found.setdefault(key, entry.get("value"))
        return found


def previous_answer(response: JsonObject) -> PreviousAnswer:
    """Returns the lists of a payload's `response`; what is no list is left out."""
    return PreviousAnswer(
        {key: value for key in _LISTS if isinstance(value := response.get(key), list)}
    )


def answer_of(effects: Effects, previous: PreviousAnswer, *, is_saml: bool) -> JsonObject:
    """Returns the answer of a run that succeeded.

    Args:
        effects: of all its actions.
        previous: what was answered before.
        is_saml: True for the function of SAML responses.
    """
    lists = previous.lists
    metadata: Entries = [
        {"key": entry.key, "value": base64.b64encode(entry.value).decode()}
        for entry in effects.metadata
    ]
    made = {_METADATA: _replacing(lists.get(_METADATA, []), metadata, "key")}
    if is_saml:
        attributes: Entries = [
            {"name": each.name, "name_format": each.name_format, "value": [*each.values]}
            for each in effects.attributes
        ]
        made[_ATTRIBUTES] = _joining(lists.get(_ATTRIBUTES, []), attributes, "name")
    else:
        claims, log = _claims_of(effects)
        made[_CLAIMS] = _replacing(lists.get(_CLAIMS, []), claims, "key")
        made[_LOG_CLAIMS] = [*lists.get(_LOG_CLAIMS, []), *log]
    return {key: value for key, value in made.items() if value}


def _claims_of(effects: Effects) -> tuple[Entries, Entries]:
    """Returns the claims, and what actions logged into claims."""
    claims: Entries = []
    log: Entries = []
    for key, value in effects.claims.items():
        if not key.startswith(RESERVED_PREFIX):
            claims.append({"key": key, "value": value})
        elif isinstance(value, list):
            log += value
    return claims, log


def _replacing(before: Entries, new: Entries, key: str) -> Entries:
    """Returns both lists; an entry of the first is left out if the second has its key."""
    keys = _keys(new, key)
    return [each for each in before if _key(each, key) not in keys] + new


def _joining(before: Entries, new: Entries, key: str) -> Entries:
    """Returns both lists; an entry of the second is left out if the first has its key."""
    keys = _keys(before, key)
    return before + [each for each in new if _key(each, key) not in keys]


def _keys(entries: Entries, key: str) -> set[str | None]:
    return {_key(each, key) for each in entries} - {None}


def _key(entry: JsonValue, key: str) -> str | None:
    value = entry.get(key) if isinstance(entry, dict) else None
    return value if isinstance(value, str) else None
