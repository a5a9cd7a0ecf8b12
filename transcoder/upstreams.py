"""Registers the services of gRPC servers in other processes, some of which it asks for them.

Rule 1: what needs the network waits until serving starts; all else raises at once.
Rule 2: a server is asked again when it comes back, or `ask_again` says so. If it does not tell its
services then, or one that is served cannot be any more, all stay as they are.
"""

import asyncio
import functools
import logging
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import grpc
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pool import DescriptorPool

from transcoder.backends.channel import Upstream, handlers_by_name
from transcoder.backends.reflection import MISSING_FILE, Reflected, UnansweredError, reflect
from transcoder.descriptor_sets import build_sound, read_set, services_in
from transcoder.errors import SchemaError
from transcoder.registry import methods_of
from transcoder.services import NewService, NewServices, Services

logger = logging.getLogger(__name__)

ASK_AGAIN_S: Final = 2.0
"""Seconds after which a server that did not tell its services is asked again."""


@dataclass(eq=False, slots=True)
class _Forwarded:
    """A server, and which of its services are served.

    Attributes:
        services: those that are asked for; empty for all.
        prefix: of their routes.
        told: what is served, as the server told it; None before.
        served: the names of its services that are served.
        is_whole: True if these are all that shall be.
        asking: set to ask it again.
    """

    upstream: Upstream
    services: Collection[str]
    prefix: str
    told: Reflected | None = None
    served: list[str] = field(default_factory=list)
    is_whole: bool = False
    asking: asyncio.Event = field(default_factory=asyncio.Event)

    def service(self, name: str, pool: DescriptorPool) -> NewService:
        """Returns a service whose calls are forwarded."""
        handlers = handlers_by_name(self.upstream, methods_of(name, pool))
        return NewService(name, handlers, self.prefix, pool)

    def services_told(self, told: Reflected, names: Collection[str]) -> NewServices:
        """Returns services of a server that has told them."""
        source = f"reflection of {self.upstream.target}"
        files, faults_of_files = build_sound(told.files, source, remedy=MISSING_FILE)
        pools = {service: file.pool for file in files for service in services_in([file])}
        sound = [self.service(name, pools[name]) for name in names if name in pools]
        faults = {name: _fault(name, told, faults_of_files) for name in names if name not in pools}
        return NewServices(sound, faults)


class Upstreams:
    """The servers that calls are forwarded to."""

    def __init__(self, services: Services) -> None:
        """Starts without servers; `services` gets theirs."""
        self._services = services
        self._all: list[Upstream] = []
        self._asked: list[_Forwarded] = []
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
        keepalive_s: float,
    ) -> None:
        """Serves the services of a server, as `Transcoder.forward` takes them.

        Raises:
            SchemaError: a service cannot be served or is not declared, or there is none.
        """
        self._named.update(services)
        forwarded = _Forwarded(
            Upstream(upstream, credentials=credentials, keepalive_s=keepalive_s), services, prefix
        )
        if files or descriptor_set is not None:
            declared = (
                list(files) if descriptor_set is None else [*files, *read_set(descriptor_set)]
            )
            self._serve(forwarded, declared)
        else:
            self._asked.append(forwarded)
        self._all.append(forwarded.upstream)

    @property
    def are_asked(self) -> bool:
        """True if a server is asked for its services."""
        return bool(self._asked)

    @property
    def are_read(self) -> bool:
        """True if the services of all servers are known."""
        return all(forwarded.told is not None for forwarded in self._asked)

    def start(self, on_read: Callable[[], None]) -> None:
        """Begins to ask servers for their services; calls back when those of all are known.

        It does so again whenever some have changed.
        """
        if self._asked and self._reading is None:
            self._reading = asyncio.get_running_loop().create_task(self._read_all(on_read))

    def ask_again(self) -> None:
        """Has the servers asked again that are asked for their services."""
        for forwarded in self._asked:
            forwarded.asking.set()

    async def close(self) -> None:
        """Stops asking, and closes the channels that were made here."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            await asyncio.wait((reading,))
        for upstream in self._all:
            await upstream.close()

    async def _read_all(self, on_read: Callable[[], None]) -> None:
        async with asyncio.TaskGroup() as group:
            for forwarded in self._asked:
                group.create_task(forwarded.upstream.watch(forwarded.asking.set))
                group.create_task(self._keep_read(forwarded, on_read))

    async def _keep_read(self, forwarded: _Forwarded, on_read: Callable[[], None]) -> None:
        while True:
            forwarded.asking.clear()
            is_read = await self._read(forwarded)
            if is_read and self.are_read:
                try:
                    on_read()
                except SchemaError as fault:
                    logger.error("options do not fit the services of other servers: %s", fault)
            try:
                await asyncio.wait_for(forwarded.asking.wait(), None if is_read else ASK_AGAIN_S)
            except TimeoutError:
                continue

    async def _read(self, forwarded: _Forwarded) -> bool:
        """Asks a server for its services, and serves them; logs what cannot be served.

        Returns:
            False if it has to be asked again soon.
        """
        target = forwarded.upstream.target
        try:
            told = await reflect(forwarded.upstream)
            if forwarded.is_whole and told.is_same(forwarded.told):
                logger.info("the services of %s are the same as before", target)
                return True
            faults = await self._replace(forwarded, told)
        except (UnansweredError, SchemaError) as fault:
            logger.warning("cannot serve the services of %s: %s", target, fault)
            return False
        except Exception:  # descriptors can have faults that nobody thought of
            logger.exception("cannot read the services of %s", target)
            return False
        for name, reason in faults.items():
            logger.warning("cannot serve %s of %s: %s", name, target, reason)
        logger.info("serving %s of %s", ", ".join(forwarded.served), target)
        return True

    async def _replace(self, forwarded: _Forwarded, told: Reflected) -> dict[str, SchemaError]:
        """Serves what a server has told in place of what it told before.

        Returns:
            Why some of its services are not served, by name.

        Raises:
            SchemaError: none can be served, or not one that is served or asked for by name.
        """
        if not told.services:
            raise SchemaError("expected a service, the server tells of none")
        # A service that is named for a server is that one's, whatever others tell.
        rest = [name for name in told.services if name not in self._named]
        names = forwarded.services or rest
        new = functools.partial(forwarded.services_told, told, names)
        required = {*forwarded.services, *forwarded.served}
        served, faults = await self._services.replace(forwarded.served, new, required)
        forwarded.told, forwarded.served, forwarded.is_whole = told, served, not faults
        return faults

    def _serve(self, forwarded: _Forwarded, declared: Sequence[FileDescriptor]) -> None:
        """Serves services of files."""
        pools = {service: file.pool for file in declared for service in services_in([file])}
        if not pools:
            raise SchemaError("upstream: expected files or a descriptor set with a service")
        for name in forwarded.services or pools:
            if name not in pools:
                raise _undeclared(name)
            self._services.add(forwarded.service(name, pools[name]))


def _fault(name: str, told: Reflected, faults_of_files: Mapping[str, SchemaError]) -> SchemaError:
    """Returns why a service has no descriptor."""
    if name in told.faults:
        return SchemaError(told.faults[name])
    if name in told.file_of:
        return faults_of_files[told.file_of[name]]
    return _undeclared(name)


def _undeclared(name: str) -> SchemaError:
    expected = "a service of the files or the descriptor set"
    return SchemaError(f"services: expected {expected}, got {name!r}")
