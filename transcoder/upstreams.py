"""Registers the services of gRPC servers in other processes, some of which it asks for them.

Rule: what needs the network waits until serving starts; all else raises at once.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import grpc
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pool import DescriptorPool

from transcoder.backends.channel import Upstream, handlers_by_name
from transcoder.backends.inprocess import Handler
from transcoder.backends.reflection import UnansweredError, reflect
from transcoder.descriptor_sets import TypePools, build, read_set, services_in
from transcoder.errors import SchemaError
from transcoder.registry import methods_of

logger = logging.getLogger(__name__)

ASK_AGAIN_S: Final = 2.0
"""Seconds after which a server that did not tell its services is asked again."""


class Register(Protocol):
    """Serves the handlers of a service, as `Transcoder.register` does."""

    def __call__(
        self,
        service: str,
        handlers: Mapping[str, Handler],
        *,
        prefix: str,
        pool: DescriptorPool | None,
    ) -> None: ...


@dataclass(eq=False, slots=True)
class _Forwarded:
    """A server, and which of its services are served.

    Attributes:
        services: those that are asked for; empty for all.
        registered: those that are served already.
    """

    upstream: Upstream
    services: Collection[str]
    prefix: str
    registered: set[str] = field(default_factory=set)


class Upstreams:
    """The servers that calls are forwarded to.

    Attributes:
        types: the pools that have the types of their messages.
    """

    def __init__(self, register: Register) -> None:
        self.types = TypePools()
        self._register = register
        self._all: list[Upstream] = []
        self._unread: list[_Forwarded] = []
        self._named: set[str] = set()
        self._reading: asyncio.Task[None] | None = None

    def add(
        self,
        upstream: str | grpc.aio.Channel,
        *,
        credentials: grpc.ChannelCredentials | None,
        files: Sequence[FileDescriptor],
        descriptor_set: str | os.PathLike[str] | bytes | None,
        services: Collection[str],
        prefix: str,
    ) -> None:
        """Serves the services of a server, as `Transcoder.forward` takes them.

        Raises:
            SchemaError: a service cannot be served or is not declared, or there is none.
        """
        self._named.update(services)
        forwarded = _Forwarded(Upstream(upstream, credentials=credentials), services, prefix)
        if files or descriptor_set is not None:
            declared = (
                list(files) if descriptor_set is None else [*files, *read_set(descriptor_set)]
            )
            self._serve(forwarded, declared)
        else:
            self._unread.append(forwarded)
        self._all.append(forwarded.upstream)

    @property
    def are_read(self) -> bool:
        """True if the services of all servers are known."""
        return not self._unread

    def start(self, on_read: Callable[[], None]) -> None:
        """Begins to ask the servers whose services are unknown; then calls `on_read`."""
        if self._unread and self._reading is None:
            self._reading = asyncio.get_running_loop().create_task(self._read_all(on_read))

    async def close(self) -> None:
        """Stops asking, and closes the channels that were made here."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            await asyncio.wait((reading,))
        for upstream in self._all:
            await upstream.close()

    async def _read_all(self, on_read: Callable[[], None]) -> None:
        while self._unread:
            for forwarded in list(self._unread):
                await self._read(forwarded)
            if self._unread:
                await asyncio.sleep(ASK_AGAIN_S)
        try:
            on_read()
        except SchemaError as fault:
            logger.error("options do not fit the services of other servers: %s", fault)

    async def _read(self, forwarded: _Forwarded) -> None:
        """Asks a server for its services, and serves them; logs why it cannot."""
        target = forwarded.upstream.target
        try:
            told = await reflect(forwarded.upstream)
            built = build(told.files, f"reflection of {target}")
            # A service that is named for a server is that one's, whatever others tell.
            names = forwarded.services or [n for n in told.services if n not in self._named]
            self._serve(forwarded, built, only=names)
        except (UnansweredError, SchemaError) as fault:
            logger.warning("cannot serve the services of %s: %s", target, fault)
        else:
            self._unread.remove(forwarded)
            logger.info("serving %s of %s", ", ".join(names), target)

    def _serve(
        self,
        forwarded: _Forwarded,
        declared: Sequence[FileDescriptor],
        *,
        only: Collection[str] | None = None,
    ) -> None:
        pools = {service: file.pool for file in declared for service in services_in([file])}
        names = (forwarded.services or pools) if only is None else only
        for service in names:
            if service not in pools:
                expected = "a service of the files or the descriptor set"
                raise SchemaError(f"services: expected {expected}, got {service!r}")
        if not pools:
            raise SchemaError("upstream: expected files or a descriptor set with a service")
        for service in names:
            if service in forwarded.registered:
                continue
            pool = pools[service]
            self.types.add(pool)
            handlers = handlers_by_name(forwarded.upstream, methods_of(service, pool))
            self._register(service, handlers, prefix=forwarded.prefix, pool=pool)
            forwarded.registered.add(service)
