"""Stands in for the Action API v2 of a ZITADEL: targets, executions and functions, by method.

Written from its documentation: signing keys, a deny list for endpoints, lists in pages, and
executions that are left out of lists while they have no target. It knows nothing of the service.
"""

import ipaddress
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

JsonObject = dict[str, Any]
Method = Callable[[JsonObject], JsonObject]

FUNCTIONS: Final = ("preuserinfo", "preaccesstoken", "presamlresponse")
TARGET_KINDS: Final = ("restWebhook", "restCall", "restAsync")
DATE: Final = "2025-03-04T05:06:07.123456Z"
LIMIT: Final = 100

INVALID, NOT_FOUND, UNIMPLEMENTED = 3, 5, 12
HTTP_STATUS: Final = {INVALID: 400, NOT_FOUND: 404, UNIMPLEMENTED: 501}


class Refused(Exception):
    """A method was refused, with a code of gRPC."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass
class ActionsV2:
    """Targets and executions of one ZITADEL.

    Attributes:
        version: "v2" or "v2beta", the only one that it has.
        targets: as they are listed, with their signing keys, by id.
        executions: ids of targets by the condition as JSON.
        denies_private: True refuses endpoints at localhost and private addresses.
        shows_keys: False leaves signing keys out of lists.
        done: methods that changed something, in order.
    """

    version: str = "v2"
    targets: dict[str, JsonObject] = field(default_factory=dict)
    executions: dict[str, list[str]] = field(default_factory=dict)
    denies_private: bool = False
    shows_keys: bool = True
    done: list[str] = field(default_factory=list)

    def http(self, method: str, path: str, body: JsonObject) -> JsonObject:
        """Answers a request of the path below "/v2/actions/"."""
        match (method, path.split("/")):
            case ("POST", ["targets"]):
                return self.call("CreateTarget", body)
            case ("POST", ["targets", "search"]):
                return self.call("ListTargets", body)
            case ("POST", ["targets", id]):
                return self.call("UpdateTarget", {**body, "id": id})
            case ("GET", ["targets", id]):
                return self.call("GetTarget", {"id": id})
            case ("DELETE", ["targets", id]):
                return self.call("DeleteTarget", {"id": id})
            case ("PUT", ["executions"]):
                return self.call("SetExecution", body)
            case ("POST", ["executions", "search"]):
                return self.call("ListExecutions", body)
            case ("GET", ["executions", "functions"]):
                return self.call("ListExecutionFunctions", body)
        raise Refused(NOT_FOUND, "Not Found")

    def call(self, method: str, asked: JsonObject) -> JsonObject:
        """Answers a method of zitadel.action.v2.ActionService, both ways as JSON.

        Raises:
            Refused: it is refused.
        """
        methods: dict[str, Method] = {
            "CreateTarget": self._create,
            "UpdateTarget": self._update,
            "DeleteTarget": self._delete,
            "GetTarget": lambda asked: {"target": self._shown(self._found(asked["id"]))},
            "ListTargets": self._list_targets,
            "SetExecution": self._set,
            "ListExecutions": self._list_executions,
            "ListExecutionFunctions": lambda _asked: {"functions": [*FUNCTIONS]},
        }
        if method not in methods:
            raise Refused(UNIMPLEMENTED, f"unknown method {method}")
        return methods[method](asked)

    def lists(self) -> dict[str, list[str]]:
        """Returns the targets of conditions that have some."""
        return {condition: [*ids] for condition, ids in self.executions.items() if ids}

    def calls_at(self, function: str, *ids: str) -> None:
        """Sets the targets of a function."""
        self.executions[_condition(function)] = [*ids]

    def called_at(self, function: str) -> list[str]:
        return self.executions.get(_condition(function), [])

    def add_target(self, name: str, endpoint: str = "https://example.com/hook") -> str:
        """Makes a target of somebody else, and returns its id."""
        asked = {"name": name, "endpoint": endpoint, "timeout": "5s", "restWebhook": {}}
        return str(self._create(asked)["id"])

    def _create(self, asked: JsonObject) -> JsonObject:
        if not asked.get("name"):
            raise Refused(INVALID, "Errors.Target.Invalid (COMMAND-ddqbm9us5p)")
        if asked.get("timeout", "0s") == "0s":
            raise Refused(INVALID, "Errors.Target.NoTimeout (COMMAND-39f35d8uri)")
        kind = _kind(asked)
        if kind is None:
            raise Refused(INVALID, "invalid CreateTargetRequest.TargetType: value is required")
        self._check_endpoint(asked.get("endpoint", ""))
        id = str(300000000000000001 + len(self.done) + len(self.targets))
        key = secrets.token_urlsafe(6)
        self.targets[id] = {
            "id": id,
            "creationDate": DATE,
            "changeDate": DATE,
            "name": asked["name"],
            "timeout": asked["timeout"],
            "endpoint": asked["endpoint"],
            "payloadType": asked.get("payloadType", "PAYLOAD_TYPE_JSON"),
            kind: asked[kind],
            "signingKey": key,
        }
        self.done.append("CreateTarget")
        return {"id": id, "creationDate": DATE, "signingKey": key}

    def _update(self, asked: JsonObject) -> JsonObject:
        target = self._found(asked["id"])
        if "endpoint" in asked:
            self._check_endpoint(asked["endpoint"])
        kind = _kind(asked)
        if kind is not None:
            for each in TARGET_KINDS:
                target.pop(each, None)
            target[kind] = asked[kind]
        for name in ("name", "timeout", "endpoint", "payloadType"):
            target[name] = asked.get(name, target[name])
        self.done.append("UpdateTarget")
        if "expirationSigningKey" not in asked:
            return {"changeDate": DATE}
        target["signingKey"] = secrets.token_urlsafe(6)
        return {"changeDate": DATE, "signingKey": target["signingKey"]}

    def _delete(self, asked: JsonObject) -> JsonObject:
        self.done.append("DeleteTarget")
        self.targets.pop(asked["id"], None)
        for ids in self.executions.values():
            ids[:] = [id for id in ids if id != asked["id"]]
        return {"deletionDate": DATE}

    def _set(self, asked: JsonObject) -> JsonObject:
        ids = [*asked.get("targets", ())]
        function = asked["condition"].get("function", {}).get("name")
        if function is not None and function not in FUNCTIONS:
            raise Refused(NOT_FOUND, "Errors.Execution.ConditionInvalid (COMMAND-cdy39t0ksr)")
        if not self.targets.keys() >= {*ids}:
            raise Refused(NOT_FOUND, "Errors.Target.NotFound (COMMAND-17e8fq1ggk)")
        self.executions[json.dumps(asked["condition"])] = ids
        self.done.append("SetExecution")
        return {"setDate": DATE}

    def _list_targets(self, asked: JsonObject) -> JsonObject:
        found = [self._shown(target) for target in self.targets.values()]
        for each in asked.get("filters", ()):
            named = each.get("targetNameFilter", {}).get("targetName")
            ids = each.get("inTargetIdsFilter", {}).get("targetIds")
            found = [
                target
                for target in found
                if named in (None, target["name"]) and (ids is None or target["id"] in ids)
            ]
        return self._page("targets", found, asked)

    def _list_executions(self, asked: JsonObject) -> JsonObject:
        found = [
            {"condition": json.loads(condition), "creationDate": DATE, "changeDate": DATE} | named
            for condition, ids in self.executions.items()
            if ids
            for named in [{"targets": [*ids]}]
        ]
        return self._page("executions", found, asked)

    def _page(self, name: str, items: list[JsonObject], asked: JsonObject) -> JsonObject:
        pagination = asked.get("pagination", {})
        first, limit = int(pagination.get("offset", 0)), int(pagination.get("limit", 0) or LIMIT)
        page = items[first : first + limit]
        totals = {"appliedLimit": str(limit)} | ({"totalResult": str(len(items))} if items else {})
        return {"pagination": totals} | ({name: page} if page else {})

    def _shown(self, target: JsonObject) -> JsonObject:
        hidden = [] if self.shows_keys else ["signingKey"]
        if self.version == "v2beta":
            hidden.append("payloadType")
        return {name: value for name, value in target.items() if name not in hidden}

    def _found(self, id: str) -> JsonObject:
        if id not in self.targets:
            raise Refused(NOT_FOUND, "Errors.Target.NotFound (COMMAND-xj14f2cccn)")
        return self.targets[id]

    def _check_endpoint(self, endpoint: str) -> None:
        host = urlsplit(endpoint).hostname
        if host is None:
            raise Refused(INVALID, "Errors.Target.InvalidURL (COMMAND-1r2k6qo6wg)")
        if self.denies_private and _is_private(host):
            raise Refused(INVALID, "Errors.Target.DeniedURL (COMMAND-NcJUKo)")


def _condition(function: str) -> str:
    return json.dumps({"function": {"name": function}})


def _kind(asked: JsonObject) -> str | None:
    return next((kind for kind in TARGET_KINDS if kind in asked), None)


def _is_private(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost"
