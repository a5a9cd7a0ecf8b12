"""Refuses methods and REST paths of ZITADEL that are not served, with a text that says so.

Follows docs/api.md "Other methods", and grpc/doc/statuscodes.md: a method that a server does not
have is UNIMPLEMENTED.
A REST path does not name its method. So paths of ZITADEL are recognised by their first segments, as
its .proto files have them; any other path below a prefix is NOT_FOUND.
Rule: one handler answers all of them, so nothing is cached for a name that a client invents.
"""

from typing import Any, Final

import grpc

from server.rpc.handlers import MethodHandler

_ZITADEL: Final = "/zitadel."
NOT_SERVED: Final = (
    "not served: of ZITADEL's APIs, this service has actions and flows of the management service, "
    "and looks organisations up"
)

# "actions", "flows" and "healthz" are served completely, so other paths below them are NOT_FOUND.
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
"""Texts of refusals, by the beginning of a path of REST or gRPC-Web."""


def other_method(method: str) -> MethodHandler | None:
    """Returns the handler that refuses a method of ZITADEL; None for another method."""
    return _REFUSED if method.startswith(_ZITADEL) else None


async def _refuse(requests: object, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
    refusing = context.abort(grpc.StatusCode.UNIMPLEMENTED, NOT_SERVED)
    del requests, context  # grpc keeps the error, which has this frame: they would be a cycle
    try:
        await refusing
    finally:
        del refusing


# A method with a stream of requests is called, and refuses, before the first message arrives.
_REFUSED: Final[MethodHandler] = grpc.stream_unary_rpc_method_handler(_refuse)
