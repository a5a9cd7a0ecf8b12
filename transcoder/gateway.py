"""Serves a gRPC server in another process from the command line, or reads its services once.

Rule: this file knows no arguments of the command, `cli` reads them.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.descriptor import FileDescriptor

from transcoder.app import Transcoder
from transcoder.backends.channel import Upstream
from transcoder.backends.reflection import Reflected, reflect
from transcoder.descriptor_sets import build


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A server, and how it is served.

    Attributes:
        target: the address of the server, as grpc names it.
        files: those that declare its services; empty to ask the server.
        listen: the address to serve at.
        prefix: before its REST routes.
        service_config: the path of a google.api.Service; None for annotations alone.
        strict: refuse what would be ignored.
        cors_origins: origins whose pages may call.
    """

    target: str
    files: Sequence[FileDescriptor]
    listen: str
    prefix: str
    service_config: str | None
    strict: bool
    cors_origins: Sequence[str]


def serve(gateway: Gateway) -> None:
    """Serves until SIGTERM or SIGINT; logs to standard error.

    Raises:
        SchemaError: an option is invalid, or a service cannot be served.
        OSError: the address cannot be bound.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    transcoder = Transcoder(
        service_config=gateway.service_config,
        strict=gateway.strict,
        cors_origins=gateway.cors_origins,
    )
    transcoder.forward(gateway.target, files=gateway.files, prefix=gateway.prefix)
    asyncio.run(transcoder.serve(gateway.listen))


def files_of(target: str) -> list[FileDescriptor]:
    """Returns the files of a server's services, by its reflection.

    Raises:
        UnansweredError: the server does not tell them.
        SchemaError: they do not fit together.
    """
    told = asyncio.run(_reflected(target))
    return build(told.files, f"reflection of {target}")


async def _reflected(target: str) -> Reflected:
    upstream = Upstream(target)
    try:
        return await reflect(upstream)
    finally:
        await upstream.close()
