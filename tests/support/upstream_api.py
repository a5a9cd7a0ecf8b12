"""Stands in for a ZITADEL: organisations, actions and flows of its API, and its faults.

Answers as ZITADEL does: no creation date, and no total where there is nothing. Faults are answers
that come in place of the next ones. Targets and executions are in `upstream_actions`.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from tests.support.upstream_actions import HTTP_STATUS, ActionsV2, Refused
from tests.support.web_server import served

TOKEN: Final = "a-token-of-an-iam-owner"

JsonObject = dict[str, Any]


def action(id: str, name: str, **fields: object) -> JsonObject:
    """Returns an action as ZITADEL lists it; fields replace those of an active one."""
    return {
        "id": id,
        "details": {"sequence": "3", "changeDate": "2025-03-04T05:06:07.123456Z"},
        "state": "ACTION_STATE_ACTIVE",
        "name": name,
        "script": f"function {name}(ctx, api) {{}}",
        "timeout": "10s",
    } | fields


@dataclass
class Upstream:
    """One ZITADEL.

    Attributes:
        orgs: actions of each organisation by its id, whose name is "Org ID".
        flows: by (organisation, flow): trigger -> ids of actions.
        faults: answers in place of the next ones, each made from a request.
        faults_at: likewise by the number of the request, from 1.
        actions_v2: targets and executions.
        asked: methods, paths and organisations, in order.
        after_page: called after each page of actions.
        url: where it listens.
    """

    orgs: dict[str, list[JsonObject]] = field(default_factory=dict)
    flows: dict[tuple[str, int], dict[int, list[str]]] = field(default_factory=dict)
    faults: list[Callable[[web.Request], web.StreamResponse]] = field(default_factory=list)
    faults_at: dict[int, Callable[[web.Request], web.StreamResponse]] = field(default_factory=dict)
    actions_v2: ActionsV2 = field(default_factory=ActionsV2)
    asked: list[str] = field(default_factory=list)
    after_page: Callable[[], None] = lambda: None
    url: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        org_id = request.headers.get("x-zitadel-orgid", "")
        self.asked.append(f"{request.method} {request.path} {org_id}".rstrip())
        if self.faults:
            return self.faults.pop(0)(request)
        if fault := self.faults_at.get(len(self.asked)):
            return fault(request)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _error(401, "Errors.Token.Invalid (AUTH-7fs1e)")
        body = json.loads(await request.text() or "{}")
        if "/actions/" in request.path and request.path.startswith("/v2"):
            return self._answer_v2(request, body)
        asked = body.get("query", {})
        if request.path == "/admin/v1/orgs/_search":
            return _page([_org(id) for id in self.orgs], asked)
        if org_id not in self.orgs:
            return _error(403, "Organisation doesn't exist (AUTH-Bs7Ds)")
        if request.path == "/management/v1/orgs/me":
            return web.json_response({"org": _org(org_id)})
        if request.path == "/management/v1/actions/_search":
            page = _page(self.orgs[org_id], asked)
            self.after_page()
            return page
        return web.json_response({"flow": self._flow(org_id, int(request.path[-1]))})

    def _answer_v2(self, request: web.Request, body: JsonObject) -> web.Response:
        _, version, _, path = request.path.split("/", 3)
        try:
            if version != self.actions_v2.version:
                return _error(404, "Not Found")
            return web.json_response(self.actions_v2.http(request.method, path, body))
        except Refused as refused:
            return _error(HTTP_STATUS[refused.code], refused.message)

    def _flow(self, org_id: str, type: int) -> JsonObject:
        triggers = self.flows.get((org_id, type), {})
        by_id = {action["id"]: action for action in self.orgs[org_id]}
        return {
            "type": {"id": str(type)},
            "details": {"changeDate": "2025-04-01T00:00:00Z"} if triggers else {},
            "state": "FLOW_STATE_ACTIVE",
            "triggerActions": [
                {"triggerType": {"id": str(trigger)}, "actions": [by_id[id] for id in ids]}
                for trigger, ids in triggers.items()
            ],
        }


def _org(id: str) -> JsonObject:
    return {"id": id, "name": f"Org {id}", "state": "ORG_STATE_ACTIVE", "primaryDomain": "x"}


def _page(items: list[JsonObject], asked: JsonObject) -> web.Response:
    first = int(asked.get("offset", 0))
    page = items[first : first + int(asked.get("limit", 100))]
    details = {"totalResult": str(len(items))} if page else {}
    return web.json_response({"details": details, "result": page})


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"code": 7, "message": message}, status=status)


@asynccontextmanager
async def upstream() -> AsyncIterator[Upstream]:
    """Serves an empty one on a free port."""
    api = Upstream()
    async with served(api.answer) as api.url:
        yield api
