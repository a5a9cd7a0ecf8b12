"""Registers services with all that has to know them; replaces those of a server in one step.

Rule 1: what cannot be served raises, and nothing is added.
Rule 2: services of another server are made ready in a thread, as a large API takes seconds. Calls
meet the old services until all of the new ones take their place.
"""

import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from google.protobuf.descriptor_pool import DescriptorPool

from transcoder.backends.inprocess import Handler, InProcess
from transcoder.binding.fields import Fields
from transcoder.call import Method
from transcoder.codec.codec import Codec
from transcoder.descriptor_sets import TypePools
from transcoder.errors import SchemaError
from transcoder.http.unserved_paths import UnservedPaths
from transcoder.openapi.document import Document
from transcoder.registry import Registry, Route, Served, methods_of
from transcoder.routing.router import NewRoute
from transcoder.threads import Threads

_STREAMING_KINDS: Final = {
    (False, False): "one request and one response",
    (False, True): "a stream of responses",
    (True, False): "a stream of requests",
    (True, True): "streams of both",
}


@dataclass(frozen=True, slots=True)
class NewService:
    """A service to serve.

    Attributes:
        name: its full name.
        handlers: by the names of its methods.
        prefix: of its routes.
        pool: has its descriptor; None for the pool that generated code fills.
    """

    name: str
    handlers: Mapping[str, Handler]
    prefix: str
    pool: DescriptorPool | None

    def methods(self) -> dict[str, Method]:
        """Returns its methods that have a handler, by path.

        Raises:
            SchemaError: it has no descriptor, or a handler does not fit.
        """
        methods = methods_of(self.name, self.pool)
        for name in self.handlers:
            if f"/{self.name}/{name}" not in methods:
                raise SchemaError(f"service {self.name!r} has no method {name!r} in its descriptor")
        served = {}
        for path, method in methods.items():
            handler = self.handlers.get(method.descriptor.name)
            if handler is not None:
                _require_kind(handler, method)
                served[path] = method
        return served

    def handlers_at(self, methods: Mapping[str, Method]) -> dict[str, Handler]:
        """Returns the handlers of methods, by path."""
        return {path: self.handlers[each.descriptor.name] for path, each in methods.items()}


@dataclass(frozen=True, slots=True)
class NewServices:
    """Services that take the place of others.

    Attributes:
        sound: those to serve.
        faults: why others cannot be served, by name.
    """

    sound: Sequence[NewService]
    faults: dict[str, SchemaError]


@dataclass(frozen=True, slots=True)
class _Replacement:
    """Holds what is served once services are replaced.

    Attributes:
        served: all methods and routes.
        handlers: of the new services, by path.
        services: those that can be served.
        faults: why others cannot, by name.
    """

    served: Served
    handlers: dict[str, Handler]
    services: list[NewService]
    faults: dict[str, SchemaError]


class Services:
    """The services of one Transcoder."""

    def __init__(
        self,
        registry: Registry,
        backend: InProcess,
        codec: Codec,
        types: TypePools,
        unserved: UnservedPaths,
        document: Document | None,
    ) -> None:
        """Starts without services.

        Args:
            registry: gets their methods and routes.
            backend: gets their handlers.
            codec: reads and writes what is no message of a service: details of errors.
            types: gets the pools of their messages.
            unserved: gets the prefixes of their routes.
            document: gets their routes, if there is one.
        """
        self._registry = registry
        self._backend = backend
        self._codec = codec
        self._types = types
        self._pools: dict[str, DescriptorPool] = {}
        self._unserved = unserved
        self._document = document
        self._threads = Threads("services", threads_max=1)
        self._changes_count = 0

    def add(self, new: NewService) -> None:
        """Serves a service.

        Raises:
            SchemaError: it has no descriptor, rules of it cannot be served (the error has all of
                them), or a method of it has another handler already.
        """
        methods = new.methods()
        handlers = new.handlers_at(methods)
        self._backend.refuse_duplicates(handlers)
        # Nothing is added yet. From here only the registry can fail, and then it adds no route.
        routes = self._registry.add(methods, prefix=new.prefix)
        self._backend.register(handlers)
        self._add_types([new])
        self._changes_count += 1
        self._add_prefixes(routes)
        self._show_document()

    async def replace(
        self, old: Collection[str], new: Callable[[], NewServices], required: Collection[str]
    ) -> tuple[list[str], dict[str, SchemaError]]:
        """Serves new services in place of old ones; calls that have begun end as they began.

        Args:
            old: the full names of services that are served.
            new: returns the others; runs in a thread.
            required: names of new services without which nothing is replaced.

        Returns:
            The names of the new services that are served, and why the others are not.

        Raises:
            SchemaError: a required service cannot be served, or none can; nothing has changed.
        """
        count = -1
        while count != self._changes_count:  # again, if a service was added meanwhile
            count = self._changes_count
            paths = {path for path in self._registry.methods if _service_of(path) in old}
            replace = functools.partial(self._replacement, paths, new, required)
            made = await self._threads.run(replace)
        self._changes_count += 1
        self._registry.served.become(made.served)
        self._backend.replace(paths, made.handlers)
        for name in self._pools.keys() & set(old):
            self._types.discard(self._pools.pop(name))
        self._add_types(made.services)
        self._codec.forget_types()
        self._unserved.clear()
        self._add_prefixes(made.served.routes)
        self._show_document()
        return [service.name for service in made.services], made.faults

    def close(self) -> None:
        """Has the thread end after its work; does not wait for it."""
        self._threads.close()

    def _add_types(self, services: Iterable[NewService]) -> None:
        for service in services:
            if service.pool is not None:
                self._pools[service.name] = service.pool
                self._types.add(service.pool)

    def _add_prefixes(self, routes: Iterable[NewRoute[Route]]) -> None:
        for route in routes:
            if route.template.text != route.target.method.path:
                self._unserved.add(route.prefix, route.template)

    def _show_document(self) -> None:
        if self._document is not None:
            self._document.show(self._registry.served.routes)

    def _replacement(
        self, paths: Collection[str], new: Callable[[], NewServices], required: Collection[str]
    ) -> _Replacement:
        """Makes what is served in place of the methods at some paths.

        Raises:
            SchemaError: as `replace` does.
        """
        given = new()
        made = _Replacement(self._registry.served.without(paths), {}, [], given.faults)
        fields = Fields(self._codec.fresh())  # its types go with the services
        for service in given.sound:
            try:
                methods = service.methods()
                for path in made.served.methods.keys() & methods.keys():
                    raise SchemaError(f"{path} has another handler already")
                self._registry.add(methods, prefix=service.prefix, to=made.served, fields=fields)
            except SchemaError as fault:
                made.faults[service.name] = fault
            else:
                made.handlers.update(service.handlers_at(methods))
                made.services.append(service)
        for name, reason in made.faults.items():
            if name in required or not made.services:
                raise reason
        return made


def _service_of(path: str) -> str:
    return path[1:].rpartition("/")[0]


def _require_kind(handler: Handler, method: Method) -> None:
    made = (bool(handler.request_streaming), bool(handler.response_streaming))
    described = (method.client_streaming, method.server_streaming)
    if made != described:
        got, expected = _STREAMING_KINDS[made], _STREAMING_KINDS[described]
        raise SchemaError(f"{method.path}: expected a handler of {expected}, got {got}")
