"""connectrpc in front of the same servicer: the Python server that is nearest to ours.

Connect's unary protocol, POST /package.Service/Method with JSON, served by uvicorn as fast as it
can be: on uvloop, with httptools, without a log. Its messages are protobuf's own classes, by the
codecs that connectrpc has for them.
"""

import socket
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import uvicorn
from connectrpc.compat import google_protobuf_codecs
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.server import ConnectASGIApplication, Endpoint

from zitadel.management_pb2 import ReactivateActionRequest, ReactivateActionResponse

SERVICE = "zitadel.management.v1.ManagementService"

Reactivate: TypeAlias = Callable[
    [ReactivateActionRequest, object], Awaitable[ReactivateActionResponse]
]
"""The one method of a servicer that is served."""


class Application(ConnectASGIApplication[Reactivate]):
    """Does what the code of connectrpc's plug-in for protoc would do, for one method."""

    def __init__(self, reactivate: Reactivate) -> None:
        method = MethodInfo(
            name="ReactivateAction",
            service_name=SERVICE,
            input=ReactivateActionRequest,
            output=ReactivateActionResponse,
            idempotency_level=IdempotencyLevel.UNKNOWN,
            stream_type=StreamType.UNARY,
        )
        super().__init__(
            service=reactivate,
            endpoints=lambda function: {
                f"{self.path}/{method.name}": Endpoint.unary(method, function)
            },
            codecs=google_protobuf_codecs(),
        )

    @property
    def path(self) -> str:
        return f"/{SERVICE}"


def server(application: Callable[..., Awaitable[None]]) -> tuple[uvicorn.Server, socket.socket]:
    """A server that is to serve on the socket, which takes connections already."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        application, http="httptools", lifespan="off", access_log=False, log_level="warning"
    )
    return uvicorn.Server(config), listening
