"""Serves gRPC servers in other processes from the command line, or reads their services once.

Rule: this file knows no arguments of the command, `cli` reads them.
"""

import asyncio
import logging
from collections.abc import Collection, Sequence
from typing import NamedTuple

import grpc
from google.protobuf.descriptor import FileDescriptor

from transcoder.app import Transcoder
from transcoder.backends.channel import Upstream
from transcoder.backends.reflection import MISSING_FILE, Reflected, UnansweredError, reflect
from transcoder.descriptor_sets import build
from transcoder.errors import SchemaFaults
from transcoder.http.certificate_watch import CertificateWatch


class Server(NamedTuple):
    """A gRPC server, and what is served of it.

    Attributes:
        target: its address, as grpc names it.
        services: full names; empty for all that no other server has.
        files: those that declare its services; empty to ask the server.
    """

    target: str
    services: Collection[str]
    files: Sequence[FileDescriptor]


def serve(transcoder: Transcoder, listen: str, certificates: CertificateWatch | None) -> None:
    """Serves until SIGTERM or SIGINT, on uvloop where it is installed; logs to standard error.

    With certificates by TLS, which follows their files.

    Raises:
        SchemaError: an option does not fit the services.
        OSError: the address cannot be bound.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    with asyncio.Runner(loop_factory=event_loop) as runner:
        runner.run(_serve(transcoder, listen, certificates))


async def _serve(
    transcoder: Transcoder, listen: str, certificates: CertificateWatch | None
) -> None:
    if certificates is None:
        await transcoder.serve(listen)
        return
    async with certificates.watching():
        await transcoder.serve(listen, ssl=certificates.context)


def event_loop() -> asyncio.AbstractEventLoop:
    """Makes an event loop: uvloop's, or without the extra `uvloop` that of Python."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def asked(
    server: Server, credentials: grpc.ChannelCredentials | None, *, not_of: Collection[str]
) -> Server:
    """Returns a server with its services and their files, by its reflection.

    Args:
        server: its services, if it names some, are kept.
        credentials: of TLS to it; None for none.
        not_of: services that other servers have.

    Raises:
        UnansweredError: the server does not tell them.
        SchemaError: they do not fit together.
    """
    try:
        told = asyncio.run(_reflected(Upstream(server.target, credentials=credentials)))
    except UnansweredError as error:
        raise UnansweredError(f"{error}; asked {server.target} for its services") from None
    faults = SchemaFaults()
    for fault in told.faults.values():
        faults.add(fault)
    faults.raise_all()
    files = build(told.files, f"reflection of {server.target}", remedy=MISSING_FILE)
    rest = [service for service in told.services if service not in not_of]
    return Server(server.target, server.services or rest, files)


async def _reflected(upstream: Upstream) -> Reflected:
    try:
        return await reflect(upstream)
    finally:
        await upstream.close()
