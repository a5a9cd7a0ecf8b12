"""Answers the entity tag of the object that a call is about: its sequence, in quotes.

Follows RFC 9110 section 8.8.3: initial metadata are headers. For the transcoder alone: a client of
gRPC reads the sequence in the message, where it costs no trailer.
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
            sequence = CALL.get().sequence
            if sequence is not None:
                await context.send_initial_metadata((("etag", f'"{sequence}"'),))
            return response

        return call
