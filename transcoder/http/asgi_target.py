"""Finds the target of a request in an ASGI scope, as its client sent it.

Follows the ASGI specification, "HTTP Connection Scope" (raw_path, root_path), and RFC 3986 section
2.1 (percent-encoding).
Rule: exactly the prefix is taken off that the host took the application to be at. Else a path that
escapes a slash could be another one here than for the host, which may have checked it.
"""

from typing import Final
from urllib.parse import quote

from transcoder.http.asgi_events import Scope

_UNESCAPED: Final = "/:@!$&'()*+,;=~"
_ESCAPED_OCTET: Final = 3
"""Characters of an octet that is escaped: "%2F"."""


def target_of(scope: Scope) -> str:
    """Returns the path below the application, and the query, both as received."""
    raw: bytes | None = scope.get("raw_path")
    path = quote(scope["path"], safe=_UNESCAPED) if raw is None else raw.decode("latin-1")
    path = _below(path, scope)
    query: bytes = scope.get("query_string", b"")
    return f"{path}?{query.decode('latin-1')}" if query else path


def _below(path: str, scope: Scope) -> str:
    """Returns a path without the prefix at which the application is mounted.

    A host or a proxy may have taken it off already, and still name it.
    """
    root: str = scope.get("root_path", "").rstrip("/")
    whole: str = scope["path"]
    if not root or not (whole == root or whole.startswith(f"{root}/")):
        return path
    left = len(root.encode())
    start = 0
    while left and start < len(path):
        start += _ESCAPED_OCTET if path[start] == "%" else 1
        left -= 1
    return path[start:] or "/"
