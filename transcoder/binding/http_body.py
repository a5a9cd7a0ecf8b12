"""Finds google.api.HttpBody in requests and responses: a body that travels as its own bytes.

Follows google/api/httpbody.proto: HttpBody is the whole message, or the field that `body` or
`response_body` of a rule names.

Rule: a method's own path, `POST /package.Service/Method`, has JSON for every message; HttpBody is
JSON there.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, Protocol

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from transcoder.codec.decoder import descriptor_of

HTTP_BODY: Final = "google.api.HttpBody"


class HttpBody(Protocol):
    """A google.api.HttpBody of any descriptor pool."""

    content_type: str
    data: bytes


HttpBodyGetter = Callable[[Message], HttpBody]
"""Returns the HttpBody of a message."""

Upload = Callable[[str, bytes], Message]
"""Makes a request of the content type and the bytes of its body."""


def is_http_body(field: FieldDescriptor) -> bool:
    """True if a field holds one HttpBody."""
    of = field.message_type
    return of is not None and of.full_name == HTTP_BODY and not field.is_repeated


def http_body_getter(message: Descriptor, field: str) -> HttpBodyGetter | None:
    """Returns what reads the HttpBody of a message; None if its body is JSON.

    Args:
        message: the type of a request or a response.
        field: the field that is the body; "" or "*" for the whole message.
    """
    if field in ("", "*"):
        return _whole if message.full_name == HTTP_BODY else None
    found = message.fields_by_name.get(field)
    return attrgetter(field) if found is not None and is_http_body(found) else None


def upload_to(request_type: type[Message], field: str) -> Upload | None:
    """Returns what makes a request of any body; None if its body is JSON.

    Args:
        request_type: the type of the requests.
        field: the field that is the body; "*" for the whole message.
    """
    body_of = http_body_getter(descriptor_of(request_type), field)
    if body_of is None:
        return None

    def upload(content_type: str, data: bytes) -> Message:
        message = request_type()
        body = body_of(message)
        body.content_type = content_type
        body.data = data
        return message

    return upload


def _whole(message: Any) -> HttpBody:  # noqa: ANN401  of a class that the pool made
    return message  # type: ignore[no-any-return]
