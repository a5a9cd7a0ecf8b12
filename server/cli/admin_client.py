"""Calls AdminService on the socket of the process that holds a data folder.

Follows actions/v1/admin.proto, and grpc/doc/naming.md for the address of a socket.
Rule: a socket is checked before it is used: another user may have placed it.
"""

import os
import socket
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.status_pb2 import Status

from actions.v1 import admin_pb2
from server.store.files import check
from zitadel.message_pb2 import ErrorDetail

TIMEOUT_S: Final = 10.0
"""Max seconds of a call."""

ANSWER_MAX_BYTES: Final = 64 << 20
"""Max bytes of an answer; a list of 300,000 users."""

_METHODS: Final = {
    method.input_type.full_name: method
    for method in admin_pb2.DESCRIPTOR.services_by_name["AdminService"].methods
}
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", ANSWER_MAX_BYTES),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
)
_DETAILS: Final = "grpc-status-details-bin"


class AdminError(Exception):
    """The server refused the request; the text is one line, for the operator."""


def method_of(request: Message) -> MethodDescriptor:
    """Returns the method of AdminService with this type of request."""
    return _METHODS[request.DESCRIPTOR.full_name]


async def ask(path: str, request: Message) -> Message:
    """Sends a request to the server at the path; the type of the request names the method.

    Raises:
        AdminError: the server refuses the request.
        UnsafeFile: another user may have placed the file at the path.
        OSError: no process listens there, or the answer takes too long (TimeoutError).
    """
    check(Path(path), is_socket=True)
    _connect(path)
    method = method_of(request)
    async with grpc.aio.insecure_channel(
        f"unix:{quote(os.fsencode(path))}", options=_OPTIONS
    ) as channel:
        call: Any = channel.unary_unary(
            f"/{method.containing_service.full_name}/{method.name}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        try:
            response: Message = await call(request, timeout=TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise _error(error, method.name) from None
    return response


def _connect(path: str) -> None:
    """Connects once, as a channel does not report why it cannot."""
    with socket.socket(socket.AF_UNIX) as trial:
        trial.settimeout(TIMEOUT_S)
        trial.connect(path)


def _error(error: grpc.aio.AioRpcError, method: str) -> Exception:
    code = error.code()
    trailers = dict(error.trailing_metadata())
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return TimeoutError()
    if code is grpc.StatusCode.CANCELLED or (code is grpc.StatusCode.UNAVAILABLE and not trailers):
        return ConnectionResetError()  # of the channel: a server sends metadata with its status
    if code is grpc.StatusCode.INTERNAL:
        return AdminError("internal error: the server's log says more")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return AdminError(f"the server has no {method}: it is of another version than this command")
    detail = ErrorDetail()
    for packed in Status.FromString(trailers.get(_DETAILS, b"")).details:
        if packed.Unpack(detail):
            return AdminError(detail.message)
    return AdminError(error.details() or code.name)
