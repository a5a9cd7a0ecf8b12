"""Methods of ZITADEL's other services: refused with a text that says what there is.

Follows doc/statuscodes.md of grpc: a method that a server does not have is UNIMPLEMENTED.
Rule: one handler for all of them, whatever a client names, so that nothing is kept for a name.
"""

from typing import Any, Final

import grpc

from server.behaviours import Handler

_ZITADEL: Final = "/zitadel."
NOT_SERVED: Final = (
    "not served: of ZITADEL's APIs, this service has actions and flows of the management service, "
    "and looks organisations up"
)


def other_method(method: str) -> Handler | None:
    """Returns what answers a method of ZITADEL; None for a method of anybody else."""
    return _REFUSED if method.startswith(_ZITADEL) else None


async def _refuse(requests: object, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
    refusing = context.abort(grpc.StatusCode.UNIMPLEMENTED, NOT_SERVED)
    del requests, context  # grpc keeps the error, and with it this frame: a cycle otherwise
    try:
        await refusing
    finally:
        del refusing


# A stream of requests, as the call is then refused before its first message.
_REFUSED: Final[Handler] = grpc.stream_unary_rpc_method_handler(_refuse)
