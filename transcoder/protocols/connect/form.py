"""Reads and writes messages in the two forms of Connect: JSON and protobuf's binary format.

Follows connectrpc.com, "Connect Protocol Reference" (Message-Codec).
Rule: a response that cannot be written as JSON is answered INTERNAL; only the log has the reason.
"""

import enum

from google.protobuf.message import Message

from transcoder.codec.scalars import Fault
from transcoder.http.offload import Offload
from transcoder.protocols.binary import parsed
from transcoder.protocols.json_errors import unwritable
from transcoder.registry import Route


class Form(enum.Enum):
    """The form of messages; the value is Connect's name for it."""

    JSON = "json"
    PROTO = "proto"

    @property
    def unary_type(self) -> str:
        """Returns the Content-Type of one message."""
        return f"application/{self.value}"

    @property
    def stream_type(self) -> str:
        """Returns the Content-Type of a stream of messages."""
        return f"application/connect+{self.value}"


UNARY_FORMS = {form.unary_type: form for form in Form}
STREAM_FORMS = {form.stream_type: form for form in Form}
FORM_BY_NAME = {form.value: form for form in Form}


class Messages:
    """Reads the requests of one call, and writes its responses."""

    __slots__ = ("_form", "_inline_max_bytes", "_offload", "_request_id", "_route")

    def __init__(
        self, route: Route, form: Form, *, offload: Offload, inline_max_bytes: int, request_id: str
    ) -> None:
        """Prepares for one call.

        Args:
            route: of the method, with whole messages as bodies.
            form: of the messages.
            offload: writes large messages.
            inline_max_bytes: max bytes of a message that is written as JSON on the event loop.
            request_id: of the call, for the log.
        """
        self._route = route
        self._form = form
        self._offload = offload
        self._inline_max_bytes = inline_max_bytes
        self._request_id = request_id

    def parse(self, body: bytes) -> Message:
        """Makes a request of its bytes.

        Raises:
            TranscodeError: INVALID_ARGUMENT, it is not in the form.
        """
        if self._form is Form.JSON:
            return self._route.binder.bind((), "", body)
        return parsed(self._route.method.request_type, body, named="body: ")

    async def write(self, message: Message) -> bytes:
        """Returns the bytes of a response, which is read before the first wait.

        Raises:
            TranscodeError: INTERNAL, it has no JSON form.
        """
        if self._form is Form.PROTO:
            return type(message).SerializeToString(message)
        if self._route.size(message) <= self._inline_max_bytes:
            return self._json(message)
        # A copy: a servicer may change its message as soon as it goes on.
        copy = self._route.method.response_type()
        type(copy).CopyFrom(copy, message)
        return await self._offload.answer(self._json, copy)

    def _json(self, message: Message) -> bytes:
        try:
            return self._route.encode(message)
        except Fault as fault:
            raise unwritable(fault, self._route.method, self._request_id) from None
