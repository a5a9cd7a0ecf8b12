"""Answers the entity tag of the object that a call is about: its sequence, in quotes.

Follows RFC 9110 section 8.8.3. Over HTTP it is the header ETag; over gRPC it is a trailer, as all
headers of answers are.
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
            if info.sequence is not None:
                tag = (("etag", f'"{info.sequence}"'),)
                if isinstance(info.metadata, tuple):
                    context.set_trailing_metadata(tag)
                else:
                    await context.send_initial_metadata(tag)
            return response

        return call
