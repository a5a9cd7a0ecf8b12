"""Reads organisations from the JSON that a ZITADEL's Admin API exports (ExportData).

Such a file leaves out which actions are inactive, and the flows of tokens and of SAML: it says
nothing of them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson
from google.protobuf import json_format
from google.protobuf.message import Message

from server.moving.messages import exported_action_of, exported_triggers_of
from server.moving.source import SourceError, SourceOrg
from server.triggers import FlowType
from zitadel import management_pb2

FILE_MAX_BYTES: Final = 1 << 30
"""Max bytes of an export, which is read into memory."""

EXPORTED_FLOWS: Final = frozenset(
    {FlowType.EXTERNAL_AUTHENTICATION, FlowType.INTERNAL_AUTHENTICATION}
)

M = TypeVar("M", bound=Message)


def read(file: Path, org_ids: Sequence[str]) -> list[SourceOrg]:
    """Reads organisations of an export, by their ids; without ids all.

    Raises:
        SourceError: the file cannot be read, is no export, or lacks an organisation.
    """
    orgs = [_org(file, each) for each in _orgs(file)]
    if not org_ids:
        return orgs
    by_id = {org.id: org for org in orgs}
    missing = [id for id in org_ids if id not in by_id]
    if missing:
        raise SourceError(f"{file} has no organisation {', '.join(missing)}")
    return [by_id[id] for id in org_ids]


def _orgs(file: Path) -> list[Any]:
    try:
        if file.stat().st_size > FILE_MAX_BYTES:
            raise SourceError(f"{file}: expected at most {FILE_MAX_BYTES} bytes")
        found = orjson.loads(file.read_bytes())
    except OSError as error:
        raise SourceError(f"{file}: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise SourceError(f"{file}: expected JSON: {error}") from error
    for name in ("dataOrgs", "data_orgs"):  # as it is imported, within another object
        if isinstance(found, dict) and isinstance(found.get(name), dict):
            found = found[name]
    orgs = found.get("orgs") if isinstance(found, dict) else None
    if not isinstance(orgs, list):
        raise SourceError(f"{file}: expected an export of a ZITADEL, an object with orgs")
    return orgs


def _org(file: Path, exported: object) -> SourceOrg:
    id_ = _text(exported, "orgId", "org_id")
    where = f"{file}: organisation {id_[:40]!r}"
    org = _member(exported, "org")
    actions = []
    for each in _list(exported, "actions"):
        action_id = _text(each, "actionId", "action_id")
        message = management_pb2.CreateActionRequest()
        named = f"{where}, action {action_id[:40]!r}"
        actions.append(
            exported_action_of(action_id, _parsed(named, _member(each, "action"), message))
        )
    actions.sort(key=lambda action: (action.created_at or 0, action.id))
    messages = [
        _parsed(f"{where}, triggerActions", each, management_pb2.SetTriggerActionsRequest())
        for each in _list(exported, "triggerActions", "trigger_actions")
    ]
    try:
        triggers = exported_triggers_of(messages)
    except SourceError as error:
        raise SourceError(f"{where}: {error}") from error
    return SourceOrg(
        id=id_,
        name=_text(org, "name"),
        actions=actions,
        triggers=triggers,
        flows=EXPORTED_FLOWS | {FlowType(flow) for flow, _ in triggers},
    )


def _parsed(where: str, found: object, message: M) -> M:
    if not isinstance(found, dict):
        raise SourceError(f"{where}: expected an object")
    try:
        return json_format.ParseDict(found, message, ignore_unknown_fields=True)
    except json_format.ParseError as error:
        kind = message.DESCRIPTOR.name
        raise SourceError(f"{where}: expected a {kind}: {_one_line(error)}") from None


def _member(found: object, *names: str) -> object:
    if isinstance(found, dict):
        for name in names:
            if name in found:
                return found[name]
    return None


def _text(found: object, *names: str) -> str:
    value = _member(found, *names)
    return value if isinstance(value, str) else ""


def _list(found: object, *names: str) -> list[object]:
    value = _member(found, *names)
    return value if isinstance(value, list) else []


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
