"""Methods and REST paths of ZITADEL that are not served: the text that refuses them.

Follows docs/api.md "Other methods", and grpc/doc/statuscodes.md: a method that a server
does not have is UNIMPLEMENTED.
Over REST a path cannot name its method. What ZITADEL has below a prefix is known by its first
segments, from the annotations of its .proto files; any other path there is a wrong one.
Rule: one handler for all of them, whatever a client names, so that nothing is kept for a name.
"""

from typing import Any, Final

import grpc

from server.rpc.handlers import MethodHandler

_ZITADEL: Final = "/zitadel."
NOT_SERVED: Final = (
    "not served: of ZITADEL's APIs, this service has actions and flows of the management service, "
    "and looks organisations up"
)

# Without "actions", "flows" and "healthz", which are served whole: other paths below are wrong.
_MANAGEMENT: Final = (
    "global granted_projects iam idps languages metadata orgs policies projectgrants "
    "projects text user_grants users zitadel"
)
_ADMIN: Final = (
    "aggregates domains email events export failedevents features healthz idps import instances "
    "languages members milestones notification orgs policies restrictions secretgenerators "
    "settings sms smtp text trusted_domains views"
)
_OTHER_PATHS: Final = ("/auth/v1/", "/system/v1/", "/v2/", "/v2beta/", "/resources/v3alpha/")

NOT_SERVED_BELOW: Final = dict.fromkeys(
    (
        _ZITADEL,
        *(f"/management/v1/{name}/" for name in _MANAGEMENT.split()),
        *(f"/admin/v1/{name}/" for name in _ADMIN.split()),
        *_OTHER_PATHS,
    ),
    NOT_SERVED,
)
"""The text by the beginning of a path of REST or gRPC-Web."""


def other_method(method: str) -> MethodHandler | None:
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
_REFUSED: Final[MethodHandler] = grpc.stream_unary_rpc_method_handler(_refuse)
