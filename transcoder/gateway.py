"""Serves a gRPC server in another process from the command line, or reads its services once.

Rule: this file knows no arguments of the command, `cli` reads them.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import grpc
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
        credentials: of TLS to the server; None for none.
        files: those that declare its services; empty to ask the server.
        listen: the address to serve at.
        prefix: before its REST routes.
        service_config: the path of a google.api.Service; None for annotations alone.
        strict: refuse what would be ignored.
        cors_origins: origins whose pages may call.
    """

    target: str
    credentials: grpc.ChannelCredentials | None
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
    transcoder.forward(
        gateway.target,
        credentials=gateway.credentials,
        files=gateway.files,
        prefix=gateway.prefix,
    )
    asyncio.run(transcoder.serve(gateway.listen))


def files_of(target: str, credentials: grpc.ChannelCredentials | None) -> list[FileDescriptor]:
    """Returns the files of a server's services, by its reflection.

    Raises:
        UnansweredError: the server does not tell them.
        SchemaError: they do not fit together.
    """
    told = asyncio.run(_reflected(Upstream(target, credentials=credentials)))
    return build(told.files, f"reflection of {target}")


async def _reflected(upstream: Upstream) -> Reflected:
    try:
        return await reflect(upstream)
    finally:
        await upstream.close()
