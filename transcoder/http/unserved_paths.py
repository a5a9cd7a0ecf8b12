"""Makes the errors and the page for paths that are not served: 404 or UNIMPLEMENTED.

Follows RFC 9110 sections 15.5.5 (404) and 12.5.1 (Accept).
Rule: the page has no text of the request.
"""

import html
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from transcoder.errors import SchemaError, TranscodeError, route_not_found, shown, unimplemented
from transcoder.routing.template import Literal, PathTemplate

HTML: Final = "text/html; charset=utf-8"
_JSON_MEDIA_TYPE: Final = "application/json"
_MISSING: Final = "Not Found"
_HEALTH_HINT: Final = "/healthz and /readyz tell whether it serves"


class UnservedPaths:
    """Knows the prefixes of registered services, and names them in errors and on the page."""

    def __init__(self, docs: str, not_served: Mapping[str, str] = MappingProxyType({})) -> None:
        """Starts without registered prefixes.

        Args:
            docs: says where the services are documented, if not empty.
            not_served: texts by the beginning of a path, for APIs that are known but not served.

        Raises:
            SchemaError: a beginning does not start with "/".
        """
        for beginning in not_served:
            if not beginning.startswith("/"):
                raise SchemaError(f'not_served: expected "/" first, got {beginning!r}')
        self._docs = docs
        self._not_served = not_served
        self._mounts: dict[str, None] = {}
        self._beginnings: dict[str, None] = {}

    def add(self, prefix: str, template: PathTemplate) -> None:
        """Adds a route by its prefix; without one, by the first segment of its template."""
        if prefix:
            self._mounts[prefix] = None
        first = template.segments[0] if template.segments else None
        beginning = prefix or (f"/{first.text}" if isinstance(first, Literal) else "")
        if beginning:
            self._beginnings[beginning] = None

    def clear(self) -> None:
        """Forgets all prefixes."""
        self._mounts.clear()
        self._beginnings.clear()

    def missing(self, path: str) -> TranscodeError:
        """Returns the error for a path without a route."""
        text = self._text_of_not_served(path)
        return route_not_found(self.text(path)) if text is None else unimplemented(text)

    def unknown_method(self, path: str) -> TranscodeError:
        """Returns the error for a method of gRPC-Web that is not registered."""
        return unimplemented(self._text_of_not_served(path) or f"unknown method {shown(path)}")

    def text(self, path: str) -> str:
        """Returns the message of a 404; outside of all prefixes it lists them."""
        is_below = any(path == each or path.startswith(f"{each}/") for each in self._beginnings)
        if is_below or not self._mounts:
            return _MISSING
        docs = f"; see {self._docs}" if self._docs else ""
        return f"{_MISSING}: paths here begin with {self._listed()}; {_HEALTH_HINT}{docs}"

    def page(self) -> bytes:
        """Returns the 404 as HTML."""
        listed = "".join(f"<li><code>{html.escape(each)}</code>" for each in self._beginnings)
        paths = f" Its paths begin with:<ul>{listed}</ul>" if listed else ""
        docs = f"<p>See {html.escape(self._docs)}." if self._docs else ""
        return (
            f"<!doctype html><html lang=en><meta charset=utf-8><title>{_MISSING}</title>"
            f"<h1>{_MISSING}</h1><p>This is an API.{paths}"
            f"<p>{_HEALTH_HINT}.{docs}\n"
        ).encode()

    def _text_of_not_served(self, path: str) -> str | None:
        whole = f"{path}/"  # "/acme/v1/" is the beginning of "/acme/v1" too
        for beginning, text in self._not_served.items():
            if whole.startswith(beginning):
                return text
        return None

    def _listed(self) -> str:
        *others, last = self._beginnings
        return f"{', '.join(others)} or {last}" if others else last


def asks_for_page(accept: str | None) -> bool:
    """True if an Accept header names HTML and does not name JSON."""
    if accept is None or "text/html" not in accept:
        return False
    return _JSON_MEDIA_TYPE not in accept
