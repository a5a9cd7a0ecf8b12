"""Tells the URL of this service, which is the issuer of its access tokens.

Follows RFC 8414 section 2 (the issuer), and RFC 9112 section 3.2 (Host).
"""

import re
from typing import Final

from server.oauth.web import HttpRequest

TOKEN_PATH: Final = "/oauth/v2/token"  # noqa: S105 - a path
KEYS_PATH: Final = "/oauth/v2/keys"
AUTHORIZATION_PATH: Final = "/oauth/v2/authorize"
DISCOVERY_PATH: Final = "/.well-known/openid-configuration"

_HOST: Final = re.compile(r"(?:[A-Za-z0-9_.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


class Issuer:
    """Tells the issuer: a URL that is set, or that by which a request came."""

    def __init__(self, public_url: str, *, has_tls: bool) -> None:
        self._public_url = public_url
        self._scheme = "https" if has_tls else "http"

    def of(self, request: HttpRequest) -> str | None:
        """Returns the issuer; None if no URL is set, and the request has no valid Host."""
        if self._public_url:
            return self._public_url
        host = request.headers.get("Host", "")
        return f"{self._scheme}://{host.lower()}" if _HOST.fullmatch(host) else None
