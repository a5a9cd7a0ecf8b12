"""Reads and writes organisations as a folder: scripts in files of their own, and an index.

Follows docs/moving.md, "A folder of scripts": `actions.toml` names everything but the scripts.
Rule: a script's file is named by its action, within a folder of its organisation; no name of an
action can lead out of the folder.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, TypeAlias

import msgspec

from server.domain.action import ActionState
from server.moving.source import (
    SCRIPT_MAX_BYTES,
    SourceAction,
    SourceError,
    SourceOrg,
    duration_text,
    timeout_of,
    trigger_named,
)

INDEX: Final = "actions.toml"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_FILE_NAME_MAX_CHARS: Final = 100


_Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]


class _Action(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    id: str
    name: str
    file: str
    timeout: str = "0s"
    allowed_to_fail: bool = False
    active: bool = True
    created: _Moment | None = None
    changed: _Moment | None = None


class _Trigger(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    flow: int
    trigger: int
    actions: list[str]


class _Org(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    id: str
    name: str
    created: _Moment | None = None
    actions: list[_Action] = msgspec.field(default_factory=list)
    triggers: list[_Trigger] = msgspec.field(default_factory=list)


class _Index(msgspec.Struct, forbid_unknown_fields=True):
    organisations: list[_Org]


def read(folder: Path, org_ids: Sequence[str]) -> list[SourceOrg]:
    """Reads organisations of a folder, by their ids; without ids all.

    Raises:
        SourceError: a file is missing, too large or not as expected.
    """
    index = folder / INDEX
    try:
        text = index.read_text("utf-8")
        found = msgspec.convert(tomllib.loads(text), _Index)
    except OSError as error:
        raise SourceError(f"{index}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise SourceError(f"{index}: {error}") from error
    known = {org.id: org for org in found.organisations}
    missing = [id for id in org_ids if id not in known]
    if missing:
        raise SourceError(f"{index} has no organisation {', '.join(missing)}")
    return [_org(folder, org) for org in found.organisations if not org_ids or org.id in org_ids]


def _org(folder: Path, org: _Org) -> SourceOrg:
    ids = {action.name: action.id for action in org.actions}
    triggers: dict[tuple[int, int], tuple[str, ...]] = {}
    for each in org.triggers:
        where = f"{folder / INDEX}: organisation {org.id}, flow {each.flow}, trigger {each.trigger}"
        unknown = [name for name in each.actions if name not in ids]
        if unknown:
            raise SourceError(f"{where}: there is no action {', '.join(map(ascii, unknown))}")
        try:
            trigger = trigger_named(str(each.flow), str(each.trigger))
        except SourceError as error:
            raise SourceError(f"{where}: {error}") from error
        triggers[trigger] = tuple(ids[name] for name in each.actions)
    return SourceOrg(
        id=org.id,
        name=org.name,
        created_at=_time(org.created),
        actions=[_action(folder, org, action) for action in org.actions],
        triggers=triggers,
    )


def _action(folder: Path, org: _Org, action: _Action) -> SourceAction:
    where = f"{folder / INDEX}: organisation {org.id}, action {action.name!r}"
    try:
        timeout_ns = timeout_of(action.timeout)
    except SourceError as error:
        raise SourceError(f"{where}: {error}") from error
    return SourceAction(
        id=action.id,
        name=action.name,
        script=_script(folder, action.file, where),
        timeout_ns=timeout_ns,
        allowed_to_fail=action.allowed_to_fail,
        state=ActionState.ACTIVE if action.active else ActionState.INACTIVE,
        created_at=_time(action.created),
        changed_at=_time(action.changed),
    )


def _script(folder: Path, name: str, where: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise SourceError(f"{where}: expected a file within the folder, got {name!r}")
    file = folder / path
    try:
        with file.open("rb") as script:
            text = script.read(SCRIPT_MAX_BYTES + 1)
        return text.decode("utf-8")
    except OSError as error:
        raise SourceError(f"{where}: {file}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise SourceError(f"{where}: {file}: expected UTF-8") from None


def write(folder: Path, orgs: Iterable[SourceOrg]) -> None:
    """Writes organisations into an empty folder, which is made if it is missing.

    Raises:
        SourceError: the folder is not empty, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise SourceError(f"{folder} is not empty; name another folder, or empty it")
        index = ["# Actions and flows; each script is in a file of its own.\n"]
        for org in orgs:
            files = _files_of(org)
            (folder / _file_name(org.id)).mkdir(exist_ok=True)
            for action in org.actions:
                (folder / files[action.id]).write_bytes(action.script.encode("utf-8"))
            index += _lines(org, files)
        (folder / INDEX).write_text("".join(index), "utf-8")
    except OSError as error:
        raise SourceError(f"{error.filename or folder}: {error.strerror}") from error


def _files_of(org: SourceOrg) -> Mapping[str, str]:
    """Returns the files of scripts by the ids of their actions; no two are equal, in any case."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for action in org.actions:
        name = _file_name(action.name)
        if name.lower() in taken:
            name = f"{name}-{_file_name(action.id)}"
        taken.add(name.lower())
        found[action.id] = f"{_file_name(org.id)}/{name}.js"
    return found


def _file_name(text: str) -> str:
    return _NOT_IN_NAMES.sub("_", text)[:_FILE_NAME_MAX_CHARS].strip(".") or "_"


def _lines(org: SourceOrg, files: Mapping[str, str]) -> Iterable[str]:
    names = {action.id: action.name for action in org.actions}
    yield "\n[[organisations]]\n"
    yield from _fields({"id": org.id, "name": org.name, "created": _moment(org.created_at)})
    for action in org.actions:
        yield "\n[[organisations.actions]]\n"
        yield from _fields(
            {
                "id": action.id,
                "name": action.name,
                "file": files[action.id],
                "timeout": duration_text(action.timeout_ns) if action.timeout_ns else None,
                "allowed_to_fail": action.allowed_to_fail or None,
                "active": None if action.state is not ActionState.INACTIVE else False,
                "created": _moment(action.created_at),
                "changed": _moment(action.changed_at),
            }
        )
    for (flow, trigger), ids in sorted(org.triggers.items()):
        yield "\n[[organisations.triggers]]\n"
        listed = [names[id] for id in ids]
        yield from _fields({"flow": int(flow), "trigger": int(trigger), "actions": listed})


def _fields(fields: Mapping[str, Any]) -> Iterable[str]:
    for name, value in fields.items():
        if value is not None:
            yield f"{name} = {_toml(value)}\n"


def _toml(value: object) -> str:
    """Returns a value in TOML; its strings are those of JSON."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return msgspec.json.encode(value).decode("utf-8").replace("\x7f", "\\u007F")


def _moment(at: int | None) -> datetime | None:
    return None if at is None else _EPOCH + timedelta(microseconds=at)


def _time(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    return (moment.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)
