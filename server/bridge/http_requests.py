"""Reads what payloads of requests and responses have of the HTTP request that led to them.

Follows docs/bridge.md: newer versions of ZITADEL have `headers` of the caller, which is the login;
a new session has `userAgent` of the browser (zitadel.session.v2 UserAgent).
Rule: headers that are credentials are left out.
"""

from typing import Final

from server.bridge.calls import JsonObject
from server.scripts.contract import JsonValue

_SECRET: Final = frozenset({"Authorization", "Cookie", "Proxy-Authorization", "Set-Cookie"})


def http_request_of(payload: JsonObject, user_agent: JsonObject) -> JsonObject:
    """Returns the HTTP request as scripts see it; of the browser, where the payload has it.

    Args:
        payload: of a request or a response.
        user_agent: of a session; empty without one.
    """
    browser = _headers(user_agent.get("header"))
    found: JsonObject = {"headers": browser or _headers(payload.get("headers"))}
    if isinstance(ip := user_agent.get("ip"), str):
        found["remoteAddr"] = ip
    return found


def _headers(value: JsonValue) -> JsonObject:
    """Returns headers by their canonical names: `User-Agent`."""
    found: JsonObject = {}
    for key, each in (value if isinstance(value, dict) else {}).items():
        name = "-".join(part.capitalize() for part in key.split("-"))
        values = each.get("values") if isinstance(each, dict) else each
        texts: list[JsonValue] = [text for text in _listed(values) if isinstance(text, str)]
        if texts and name not in _SECRET:
            found[name] = texts
    return found


def _listed(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else [value]
