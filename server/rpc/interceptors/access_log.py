"""Logs one line for each call."""

import asyncio
import time
from collections.abc import Callable
from typing import Final, TypeAlias

import grpc
import structlog

from server.rpc.call_info import CALL
from server.rpc.chain import Interceptor
from server.rpc.handlers import Context, Handler, MethodHandler
from server.rpc.metadata import Metadata

ClientOf: TypeAlias = Callable[[str, Metadata], str]
"""Returns the client of a call, by its peer and its metadata."""

_NAMES: Final = {code.value[0]: code.name for code in grpc.StatusCode}

log = structlog.get_logger()


class AccessLog(Interceptor):
    """Logs method, code, time, caller and peer of each call when it ends."""

    def __init__(self, client_of: ClientOf | None = None, *, has_subjects: bool = False) -> None:
        """Logs calls.

        Args:
            client_of: finds the client of a call; without it, that is its peer.
            has_subjects: True if clients have certificates, whose subjects are logged, too.
        """
        self._client_of = client_of
        self._has_subjects = has_subjects

    def wrap(self, method: str, method_handler: MethodHandler, handler: Handler) -> Handler:
        async def call(request: object, context: Context) -> object:
            started = time.perf_counter_ns()
            outcome: object = None
            answering = handler(request, context)
            del request
            try:
                return await answering
            except asyncio.CancelledError:
                outcome = grpc.StatusCode.CANCELLED
                raise
            except BaseException:
                outcome = grpc.StatusCode.UNKNOWN
                raise
            finally:
                info = CALL.get()
                caller, peer = info.caller, context.peer()
                if self._client_of is not None:
                    peer = self._client_of(peer, info.metadata)
                log.info(
                    "call",
                    method=method,
                    code=code_name(context.code() or outcome),
                    ms=(time.perf_counter_ns() - started) // 10_000 / 100,
                    org=caller and caller.org_id,
                    user=caller and caller.user_id,
                    peer=peer,
                    **({"subject": _subject(context)} if self._has_subjects else {}),
                )

        return call


def _subject(context: Context) -> str | None:
    """Returns the subject of the client's certificate, as RFC 2253 writes it."""
    for subject in context.auth_context().get("x509_subject", ()):
        return subject.decode(errors="replace")
    return None


def code_name(code: object) -> str:
    """Returns the name of a code, which servicers may also set as a number."""
    if isinstance(code, int):
        return _NAMES.get(code, str(code))
    return code.name if isinstance(code, grpc.StatusCode) else grpc.StatusCode.OK.name
