"""An interceptor that lets calls with one token through, and refuses all others unread."""

from typing import Any, Final

import grpc

TOKEN: Final = "Bearer letmein"


class TokenGuard(grpc.aio.ServerInterceptor):
    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = await continuation(details)
        if dict(details.invocation_metadata).get("authorization") == TOKEN:
            return handler
        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(_refuse)
        return grpc.stream_unary_rpc_method_handler(_refuse)


async def _refuse(_: Any, context: Any) -> None:
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")
