"""The context of each trigger: what its scripts are told, typed, and complete.

A context is a JSON object with the keys below; complete examples stand in `examples/`, one a
trigger. What `ctx` has as a method is data here: `userMetadata` is what
`ctx.v1.user.getMetadata()` returns, `idTokenClaims` what `ctx.getClaim()` looks into. The `value`
of metadata is the stored text if it is a string, else JSON that stands for itself.

Rule 1: what is missing is as it is when unset; unknown keys are ignored.
Rule 2: a value of the wrong kind is an error that names its path.
"""

from pathlib import Path
from typing import Final

import orjson

from server.scripts.contract import (
    JSON,
    TRIGGERS,
    BadContext,
    PackedContext,
    Trigger,
    UnknownTrigger,
)
from server.scripts.host.shapes import (
    Shape,
    date,
    fields,
    flag,
    integer,
    list_of,
    map_of,
    mapping,
    nullable,
    text,
)

CONTEXT_MAX_BYTES: Final = 1 << 20


def read(flow_type: int, trigger_type: int, context: JSON) -> dict[str, JSON]:
    """A context of the trigger, checked and completed; a copy as deep as it may be written to.

    Raises:
        UnknownTrigger: the flow has no such trigger.
        BadContext: a value is not what it should be.
    """
    return _CONTEXTS[trigger(flow_type, trigger_type)](context, "context")


def pack(flow_type: int, trigger_type: int, context: JSON) -> PackedContext:
    """Checks, completes and packs a context of the trigger.

    Raises:
        UnknownTrigger: the flow has no such trigger.
        BadContext: a value is not what it should be, or the context is larger than
            `CONTEXT_MAX_BYTES` as JSON.
    """
    number = trigger(flow_type, trigger_type)
    size = len(_json(context))
    if size > CONTEXT_MAX_BYTES:
        raise BadContext(f"context: expected at most {CONTEXT_MAX_BYTES} bytes, got {size}")
    read_context = read(*number, context)
    parts = {name: told(value) for name, value in read_context.items()}
    return PackedContext(parts, sum(map(len, parts.values())))


def trigger(flow_type: int, trigger_type: int) -> Trigger:
    """Returns both numbers, as one that exists.

    Raises:
        UnknownTrigger: it does not.
    """
    if (flow_type, trigger_type) not in TRIGGERS:
        raise UnknownTrigger(f"flow {flow_type} has no trigger {trigger_type}")
    return flow_type, trigger_type


def example(flow_type: int, trigger_type: int) -> dict[str, JSON]:
    """Returns a complete context of the trigger."""
    flow, number = trigger(flow_type, trigger_type)
    path = Path(__file__).parent / "examples" / f"{flow}_{number}.json"
    found: dict[str, JSON] = orjson.loads(path.read_bytes())
    return found


def told(value: JSON) -> bytes:
    """Returns a part of a context for the script side: JSON as a text, parsed when asked for."""
    return told_json(_json(value))


def told_json(json: bytes) -> bytes:
    """Does as `told` does, with a value that is JSON already."""
    return orjson.dumps(json.decode())


def untold(part: bytes) -> JSON:
    """Returns the value of a part that `told` made."""
    value: JSON = orjson.loads(orjson.loads(part))
    return value


def _json(value: JSON) -> bytes:
    try:
        return orjson.dumps(value)
    except (TypeError, RecursionError):
        raise BadContext("context: expected JSON, got what has no form in it") from None


def write_metadata(metadata: JSON, key: str, stored: str) -> None:
    """Sets one of `userMetadata`, for later readers."""
    if not isinstance(metadata, dict) or not isinstance(metadata["metadata"], list):
        return
    for entry in metadata["metadata"]:
        if isinstance(entry, dict) and entry["key"] == key:
            entry["value"] = stored
            return
    new = _METADATA_ENTRY({"key": key, "value": stored}, key)
    metadata["metadata"].append(new)
    metadata["count"] = len(metadata["metadata"])


def _stored(value: JSON, _path: str) -> JSON:
    if value is None or isinstance(value, str):
        return value or ""
    return orjson.dumps(value).decode()


def _counted(shape: Shape, name: str) -> Shape:
    """A list that says how many it has, as of when."""
    read_list = fields(
        {"count": integer(), "sequence": integer(), "timestamp": date, name: list_of(shape)}
    )

    def read(value: JSON, path: str) -> JSON:
        found = read_list({name: value} if isinstance(value, list) else value, path)
        entries = found[name]
        if isinstance(entries, list):
            found["count"] = found["count"] or len(entries)
        return found

    return read


_TEXT: Final = text()
_TEXTS: Final = list_of(_TEXT)

_HUMAN: Final = fields(
    {
        "firstName": _TEXT,
        "lastName": _TEXT,
        "nickName": _TEXT,
        "displayName": _TEXT,
        "avatarKey": _TEXT,
        "preferredLanguage": text("und"),
        "gender": integer(3),
        "email": _TEXT,
        "isEmailVerified": flag,
        "phone": _TEXT,
        "isPhoneVerified": flag,
    }
)
_USER: Final = {
    "id": _TEXT,
    "creationDate": date,
    "changeDate": date,
    "resourceOwner": _TEXT,
    "sequence": integer(),
    "state": integer(6),
    "username": _TEXT,
    "loginNames": _TEXTS,
    "preferredLoginName": _TEXT,
}
_HUMAN_USER: Final = fields({**_USER, "human": _HUMAN})
_MACHINE_USER: Final = fields({**_USER, "machine": fields({"name": _TEXT, "description": _TEXT})})


def _user(value: JSON, path: str) -> JSON:
    """One who is a machine if it says so, else human."""
    is_machine = isinstance(value, dict) and value.get("machine") is not None
    if is_machine and isinstance(value, dict) and value.get("human") is not None:
        raise BadContext(f"{path}: expected one of human and machine, got both")
    return _MACHINE_USER(value, path) if is_machine else _HUMAN_USER(value, path)


_EXTERNAL_USER: Final = fields({"externalId": _TEXT, "externalIdpId": _TEXT, "human": _HUMAN})

_METADATA_ENTRY: Final = fields(
    {
        "creationDate": date,
        "changeDate": date,
        "resourceOwner": _TEXT,
        "sequence": integer(),
        "key": _TEXT,
        "value": _stored,
    }
)
_METADATA: Final = _counted(_METADATA_ENTRY, "metadata")

_GRANTS: Final = _counted(
    fields(
        {
            "id": _TEXT,
            "projectGrantId": _TEXT,
            "state": integer(),
            "userGrantResourceOwner": _TEXT,
            "userGrantResourceOwnerName": _TEXT,
            "creationDate": date,
            "changeDate": date,
            "sequence": integer(),
            "userId": _TEXT,
            "userResourceOwner": _TEXT,
            "roles": _TEXTS,
            "projectId": _TEXT,
            "projectName": _TEXT,
            "orgMetadata": _METADATA,
        }
    ),
    "grants",
)

_AUTH_REQUEST: Final = nullable(
    fields(
        {
            "id": _TEXT,
            "agentId": _TEXT,
            "creationDate": date,
            "changeDate": date,
            "browserInfo": nullable(
                fields({"userAgent": _TEXT, "acceptLanguage": _TEXT, "remoteIp": _TEXT})
            ),
            "applicationId": _TEXT,
            "callbackUri": _TEXT,
            "transferState": _TEXT,
            "prompt": list_of(integer(5)),
            "uiLocales": _TEXTS,
            "loginHint": _TEXT,
            "maxAuthAge": integer(unset=None),
            "instanceId": _TEXT,
            "request": fields({"oidc": fields({"scopes": _TEXTS})}),
            "userId": _TEXT,
            "userName": _TEXT,
            "loginName": _TEXT,
            "displayName": _TEXT,
            "resourceOwner": _TEXT,
            "requestedOrgId": _TEXT,
            "requestedOrgName": _TEXT,
            "requestedPrimaryDomain": _TEXT,
            "requestedOrgDomain": flag,
            "applicationResourceOwner": _TEXT,
            "privateLabelingSetting": integer(2),
            "selectedIdpConfigId": _TEXT,
            "linkingUsers": list_of(_EXTERNAL_USER),
            "passwordVerified": flag,
            "mfasVerified": list_of(integer(4)),
            "audience": _TEXTS,
            "authTime": date,
        }
    )
)
_HTTP_REQUEST: Final = fields(
    {
        "method": _TEXT,
        "url": _TEXT,
        "proto": _TEXT,
        "contentLength": integer(at_least=-1),
        "host": _TEXT,
        "form": map_of(_TEXTS),
        "postForm": map_of(_TEXTS),
        "remoteAddr": _TEXT,
        "headers": map_of(_TEXTS),
    }
)

_REQUESTS: Final = {"authRequest": _AUTH_REQUEST, "httpRequest": _HTTP_REQUEST}
_ORG: Final = {"orgMetadata": _METADATA}
_CREATION: Final = {"user": _user, **_REQUESTS, **_ORG}
_TOKEN: Final = {
    "claims": mapping,
    "user": _user,
    "userMetadata": _METADATA,
    "userGrants": nullable(_GRANTS),
    **_ORG,
    "application": fields({"clientId": _TEXT}),
    "actor": nullable(mapping),
}


_SHAPES: Final[dict[Trigger, dict[str, Shape]]] = {
    (1, 1): {
        "accessToken": _TEXT,
        "idToken": _TEXT,
        "refreshToken": _TEXT,
        "idTokenClaims": nullable(mapping),
        "externalUser": _EXTERNAL_USER,
        "providerInfo": nullable(mapping),
        **_REQUESTS,
        "authError": text("none"),
        **_ORG,
    },
    (1, 2): _CREATION,
    (1, 3): _CREATION,
    (2, 4): _TOKEN,
    (2, 5): _TOKEN,
    (3, 1): {"authMethod": _TEXT, "authError": text("none"), **_REQUESTS},
    (3, 2): _CREATION,
    (3, 3): _CREATION,
    (4, 6): {
        "user": _user,
        "userMetadata": _METADATA,
        "userGrants": _GRANTS,
        **_ORG,
    },
}
_CONTEXTS: Final = {number: fields(shapes) for number, shapes in _SHAPES.items()}
