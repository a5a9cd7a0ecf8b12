"""Serves AdminService on a unix socket in the data folder, for commands on this machine.

Follows grpc/doc/naming.md for the address. `GrpcServer` has the limits and the drain.

Rule: a process that can open the socket may do everything, without a token; it has mode 0600, in a
folder of its owner. Storage errors are answered in full, as the caller is the operator.
"""

import os
import socket
from pathlib import Path
from typing import Final

import structlog

from actions.v1.admin_pb2_grpc import AdminServiceServicer, add_AdminServiceServicer_to_server
from server.domain.refusals import Kind, Refusal
from server.identity.caller import OPERATOR
from server.rpc.call_info import CallInfo
from server.rpc.chain import Admit, Chain, Gate, Interceptor
from server.rpc.errors import CallFailures
from server.rpc.grpc_server import GrpcServer
from server.rpc.handlers import Context, Handler, MethodHandler
from server.rpc.interceptors.access_log import AccessLog
from server.rpc.interceptors.error_mapping import ErrorMapping
from server.rpc.interceptors.request_ids import RequestIds
from server.socket_folder import SOCKET_FILE, SocketFolder
from server.store.errors import StorageError
from server.store.files import check

PATH_MAX_BYTES: Final = 100
"""Max bytes of the path: a unix socket may have 108 on Linux, 104 elsewhere, its NUL included."""

ADMIN_CALLS_MAX: Final = 100
"""Max calls in flight; more are refused."""

ADMIN_CONNECTIONS_MAX: Final = 48
"""Max open connections; a command has one."""

ADMIN_DRAIN_S: Final = 10.0
"""Max seconds for calls in flight to end when the server stops."""

_UMASK: Final = 0o177
"""Umask while the socket is bound: only its owner may connect."""

log = structlog.get_logger()


class AdminSocket:
    """Serves on the socket until `close`."""

    def __init__(self, folder: Path) -> None:
        """Chooses a path in the data folder, or in a private folder if that path is too long."""
        self._temporary: SocketFolder | None = None
        path = _path_in(folder.absolute())
        if len(os.fsencode(path)) > PATH_MAX_BYTES:
            self._temporary = SocketFolder()
            path = _path_in(self._temporary.path)
        self.path: Final = path
        self._server: GrpcServer | None = None

    async def start(
        self, service: AdminServiceServicer, *, failures: CallFailures, access_log: bool = True
    ) -> None:
        """Listens.

        Raises:
            UnsafeFile: another file is at its path.
            OSError: the socket cannot be bound.
        """
        _clear(self.path)
        chain = Chain(
            RequestIds(),
            *((AccessLog(),) if access_log else ()),
            ErrorMapping(failures),
            gate=Operators(),
            inner=(StorageFaults(),),
        )
        server = GrpcServer(
            chain=chain, calls_max=ADMIN_CALLS_MAX, connections_max=ADMIN_CONNECTIONS_MAX
        )
        self._server = server
        add_AdminServiceServicer_to_server(service, server)  # type: ignore[arg-type]  # registers as a server does
        await server.start(f"unix:{self.path}", socket_umask=_UMASK)

    async def close(self) -> None:
        """Finishes calls in flight, and removes the socket."""
        if self._server is not None:
            server, self._server = self._server, None
            # First: a command that finds no socket waits for the next process with the folder.
            _unlink(self.path)
            await server.stop(ADMIN_DRAIN_S)
        if self._temporary is not None:
            self._temporary.remove()
            self._temporary = None


class Operators(Gate):
    """Admits every call, with the operator as its caller."""

    def admit(self, method: str) -> Admit:
        async def admit(call: CallInfo) -> None:
            call.caller = OPERATOR

        return admit


class StorageFaults(Interceptor):
    """Answers storage errors with their text."""

    def wrap(self, method: str, method_handler: MethodHandler, handler: Handler) -> Handler:
        async def call(request: object, context: Context) -> object:
            try:
                return await handler(request, context)
            except StorageError as error:
                log.error("storage failed", method=method, reason=str(error))
                text = str(error)
            raise Refusal(Kind.UNAVAILABLE, text)

        return call


def _unlink(path: str) -> None:
    Path(path).unlink(missing_ok=True)


def _path_in(folder: Path) -> str:
    path = str(folder / SOCKET_FILE)
    return f"/{path.lstrip('/')}"  # grpc reads two slashes at the beginning as a host


def _clear(path: str) -> None:
    """Removes the socket of a dead process, and binds once: grpc does not say why it cannot.

    This process has the lock of the data folder, so a socket there is of a process that died.
    """
    check(Path(path), is_socket=True)
    _unlink(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as bound:
        mask = os.umask(_UMASK)
        try:
            bound.bind(path)
        finally:
            os.umask(mask)
    _unlink(path)
