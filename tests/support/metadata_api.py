"""Stands in for a ZITADEL whose API has metadata: tokens for a machine key, lists, and faults.

It also says whose a session is, and takes metadata and grants of users.

Answers as ZITADEL does: 64 bits as text, values in base64, no total where there is nothing.
"""

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
from aiohttp import web

from server.identity.key_pairs import KeyPair, new_key_pair
from tests.support.machine_keys import JWT_BEARER
from tests.support.web_server import served

TOKEN: Final = "a-token-of-a-service-account"
USER_ID: Final = "700000000000000001"
KEY_ID: Final = "700000000000000002"

Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class MetadataApi:
    """One ZITADEL.

    Attributes:
        orgs: entries by the organisation's id; users: by the user's.
        sessions: user and organisation by the session's id.
        granted: users and projects of grants that there are.
        key_file: of the service account.
        token: the access token that is valid now; None refuses all.
        faults: answers in place of the next ones of lists, each made from a request.
        asked: paths and organisations of all requests, in order.
        after_page: called after each page.
        url: where it listens.
    """

    orgs: dict[str, dict[str, bytes]] = field(default_factory=dict)
    users: dict[str, dict[str, bytes]] = field(default_factory=dict)
    sessions: dict[str, tuple[str, str]] = field(default_factory=dict)
    granted: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    pair: KeyPair = field(default_factory=new_key_pair)
    token: str | None = TOKEN
    expires_in: int = 3600
    faults: list[Fault] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    after_page: Callable[[], None] = lambda: None
    url: str = ""

    @property
    def key_file(self) -> str:
        return self.pair.file_of(key_id=KEY_ID, user_id=USER_ID)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        org_id = request.headers.get("x-zitadel-orgid", "")
        self.asked.append(f"{request.path} {org_id}".rstrip())
        if request.method != ("GET" if request.path.startswith("/v2/sessions/") else "POST"):
            return _error(405, "Method Not Allowed")
        if request.path == "/oauth/v2/token":
            return self._granted(dict(await request.post()))
        if self.faults:
            return await self.faults.pop(0)(request)
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return _error(401, "Errors.Token.Invalid (AUTH-7fs1e)")
        if (session_id := request.path.removeprefix("/v2/sessions/")) != request.path:
            return self._session(session_id)
        if request.path.endswith(("/metadata/_bulk", "/grants")):
            user_id = request.path.removeprefix("/management/v1/users/").partition("/")[0]
            return self._written(user_id, json.loads(await request.text()))
        asked = json.loads(await request.text())["query"]
        of_user = request.path.removeprefix("/management/v1/users/")
        if of_user != request.path:
            entries = self.users.get(of_user.removesuffix("/metadata/_search"), {})
        else:
            entries = self.orgs.get(org_id, {})
        page = _page(entries, org_id, asked)
        self.after_page()
        return page

    def _session(self, session_id: str) -> web.Response:
        if session_id not in self.sessions:
            return _error(404, "Errors.Session.NotFound (QUERY-SAder)")
        user_id, org_id = self.sessions[session_id]
        user = {"id": user_id, "loginName": "ada", "organizationId": org_id}
        return web.json_response({"session": {"id": session_id, "factors": {"user": user}}})

    def _written(self, user_id: str, body: dict[str, Any]) -> web.Response:
        if "metadata" in body:
            entries = {each["key"]: base64.b64decode(each["value"]) for each in body["metadata"]}
            self.users.setdefault(user_id, {}).update(entries)
            return web.json_response({"details": {}})
        grant = (user_id, body["projectId"])
        if grant in self.granted:
            return _error(409, "Errors.UserGrant.AlreadyExists")
        self.granted[grant] = body["roleKeys"]
        return web.json_response({"userGrantId": "1"})

    def _granted(self, form: dict[str, Any]) -> web.Response:
        from cryptography.hazmat.primitives.serialization import load_der_public_key

        try:
            claims = jwt.decode(
                form["assertion"],
                load_der_public_key(self.pair.public),  # type: ignore[arg-type]
                algorithms=["RS256"],
                audience=self.url,
            )
            header = jwt.get_unverified_header(form["assertion"])
        except jwt.PyJWTError as error:
            return web.json_response({"error": "invalid_request", "m": str(error)}, status=400)
        assert form["grant_type"] == JWT_BEARER
        assert "urn:zitadel:iam:org:project:id:zitadel:aud" in form["scope"].split()
        assert (claims["iss"], claims["sub"], header["kid"]) == (USER_ID, USER_ID, KEY_ID)
        return web.json_response(
            {"access_token": self.token, "token_type": "Bearer", "expires_in": self.expires_in}
        )


async def refused(request: web.Request) -> web.StreamResponse:
    return _error(401, "Errors.Token.Invalid (AUTH-7fs1e)")


async def forbidden(request: web.Request) -> web.StreamResponse:
    return _error(403, "No matching permissions found (AUTH-5mWD2)")


async def busy(request: web.Request) -> web.StreamResponse:
    return web.json_response({}, status=429, headers={"Retry-After": "7"})


async def garbage(request: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>a proxy</html>")


async def closed(request: web.Request) -> web.StreamResponse:
    """Closes the connection without an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def elsewhere(request: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"})


def _page(entries: dict[str, bytes], org_id: str, asked: dict[str, Any]) -> web.Response:
    first = int(asked["offset"])
    found = [
        {
            "details": {
                "sequence": str(7 + at),
                "creationDate": "2025-03-04T05:06:07.123456Z",
                "changeDate": "2025-03-05T06:07:08Z",
                "resourceOwner": org_id,
            },
            "key": key,
            "value": base64.b64encode(value).decode(),
        }
        for at, (key, value) in enumerate(entries.items())
    ][first : first + asked["limit"]]
    details = {"viewTimestamp": "2025-04-01T00:00:00Z", "processedSequence": "99"}
    if entries:
        details["totalResult"] = str(len(entries))
    return web.json_response({"details": details, "result": found})


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"code": 16, "message": message}, status=status)


@asynccontextmanager
async def metadata_api() -> AsyncIterator[MetadataApi]:
    """Serves one without metadata on a free port."""
    api = MetadataApi()
    async with served(api.answer) as api.url:
        yield api
