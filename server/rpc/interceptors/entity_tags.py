"""Answers the entity tag of the object that a call is about: its sequence, in quotes.

Follows RFC 9110 section 8.8.3. Only over HTTP, as the header ETag: a client of gRPC reads the
sequence in the message, where it costs no trailer.
"""

from server.rpc.call_info import CALL
from server.rpc.chain import Interceptor
from server.rpc.handlers import Context, Handler, MethodHandler


class EntityTags(Interceptor):
    """Sends the sequence that the service sets in `CallInfo`."""

    def wrap(self, method: str, method_handler: MethodHandler, handler: Handler) -> Handler:
        async def call(request: object, context: Context) -> object:
            answering = handler(request, context)
            del request
            response = await answering
            info = CALL.get()
            if info.sequence is not None and not isinstance(info.metadata, tuple):
                await context.send_initial_metadata((("etag", f'"{info.sequence}"'),))
            return response

        return call
