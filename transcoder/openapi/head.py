"""Makes the head of an OpenAPI document: what it says of the API as a whole.

Follows the OpenAPI Specification 3.1.0, "OpenAPI Object" and "Info Object".
Rule: options come first; annotations of the files fill what the options leave as it is by default.
"""

from typing import Final

from transcoder.openapi.openapiv2 import FileNotes
from transcoder.openapi.values import Schema
from transcoder.options import OpenApi

VERSION: Final = "3.1.0"

_DEFAULTS: Final = OpenApi()


def head(options: OpenApi, notes: FileNotes) -> Schema:
    """Returns the members of a document that are not of its routes.

    Args:
        options: of the document.
        notes: the annotations of the files of its services.
    """
    info: Schema = {"title": _DEFAULTS.title, "version": _DEFAULTS.version} | notes.info
    for name in ("title", "version", "description"):
        value = getattr(options, name)
        if value != getattr(_DEFAULTS, name):
            info[name] = value
    made: Schema = {"openapi": VERSION, "info": info} | notes.members
    if options.servers:
        made["servers"] = [{"url": url} for url in options.servers]
    if options.security:
        made["security"] = [{name: []} for name in options.security]
    elif notes.security is not None:
        made["security"] = notes.security
    return made
