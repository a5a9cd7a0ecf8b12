"""Turns descriptors into methods, and the HTTP rules of methods into routes.

Descriptors come from generated code, which adds itself to the default pool when it is imported.
Rule: this file knows neither handlers nor protocols; both read the registry.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from transcoder.binding.binder import Binder
from transcoder.binding.fields import Fields
from transcoder.binding.http_body import HttpBodyGetter, http_body_getter
from transcoder.call import Method
from transcoder.codec.codec import Codec
from transcoder.codec.message_types import message_class
from transcoder.errors import SchemaError, SchemaFaults
from transcoder.routing.http_rule import Binding, HttpRule, bindings_of, default_binding
from transcoder.routing.router import NewRoute, Router
from transcoder.routing.service_config import ServiceConfig, patterns_of

_ID_TYPES: Final = frozenset(
    {
        FieldDescriptor.TYPE_STRING,
        FieldDescriptor.TYPE_INT32,
        FieldDescriptor.TYPE_INT64,
        FieldDescriptor.TYPE_UINT32,
        FieldDescriptor.TYPE_UINT64,
        FieldDescriptor.TYPE_SINT32,
        FieldDescriptor.TYPE_SINT64,
        FieldDescriptor.TYPE_FIXED32,
        FieldDescriptor.TYPE_FIXED64,
        FieldDescriptor.TYPE_SFIXED32,
        FieldDescriptor.TYPE_SFIXED64,
    }
)
"""Types of fields that may be ids of events."""


@dataclass(frozen=True, slots=True)
class Route:
    """The target of a matched path, made when its service is registered."""

    method: Method
    rule: HttpRule
    binder: Binder
    encode: Callable[[Message], bytes]
    size: Callable[[Message], int]
    """Returns a response's bytes; the ByteSize of its class, as a field may have that name."""
    event_id: Callable[[Message], str] | None = None
    """Returns the id of a response that is written as an event; None for events without ids."""
    http_body: HttpBodyGetter | None = None
    """Returns the HttpBody of a response, whose bytes are the answer; None if that is JSON."""


class Served:
    """The methods that are served, and the routes to them.

    Attributes:
        methods: by the path that gRPC calls them.
        own_routes: by the same path: with the whole messages as bodies.
        router: finds the route of a request.
        routes: all of the router, in the order in which they were added.
    """

    def __init__(self) -> None:
        """Starts empty."""
        self.methods: Final[dict[str, Method]] = {}
        self.own_routes: Final[dict[str, Route]] = {}
        self.router: Final[Router[Route]] = Router()
        self.routes: Final[list[NewRoute[Route]]] = []

    def without(self, paths: Collection[str]) -> "Served":
        """Returns the same methods and routes, but those of the methods at some paths."""
        made = Served()
        # Copies, as this may run in a thread.
        kept = [route for route in self.routes.copy() if route.target.method.path not in paths]
        made.router.add_all(kept)
        made.routes.extend(kept)
        made.methods.update(self.methods)
        made.own_routes.update(self.own_routes)
        for path in paths:
            made.methods.pop(path, None)
            made.own_routes.pop(path, None)
        return made

    def become(self, other: "Served") -> None:
        """Takes the methods and routes of another in place of its own, in one step."""
        self.router.become(other.router)
        self.routes[:] = other.routes
        self.methods.clear()
        self.methods.update(other.methods)
        self.own_routes.clear()
        self.own_routes.update(other.own_routes)


class Registry:
    """Makes routes of methods, and adds both to what is served.

    Attributes:
        served: the methods and the routes of all services.
    """

    def __init__(
        self,
        codec: Codec,
        *,
        config: ServiceConfig | None,
        strict: bool,
        ignored_parameters: Collection[str] = (),
        without_json: Collection[str] = (),
        event_ids: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Starts empty.

        Args:
            codec: reads requests and writes answers.
            config: its rules replace the annotations of the methods that they select.
            strict: refuse values that would be ignored, or overridden by the path.
            ignored_parameters: names of query parameters that `strict` ignores.
            without_json: methods and bindings that get no route, as `Transcoder` takes them.
            event_ids: fields that are ids of events, by the names of methods.
        """
        self.served: Final = Served()
        self._fields = Fields(codec)
        self._config = config
        self._strict = strict
        self._ignored_parameters = frozenset(ignored_parameters)
        self._without_json = frozenset(without_json)
        self._left_out: set[str] = set()
        self._event_ids = dict(event_ids)

    @property
    def methods(self) -> Mapping[str, Method]:
        """Returns the served methods, by the path that gRPC calls them."""
        return self.served.methods

    @property
    def own_routes(self) -> Mapping[str, Route]:
        """Returns the routes at those paths."""
        return self.served.own_routes

    @property
    def router(self) -> Router[Route]:
        """Returns what finds the route of a request."""
        return self.served.router

    def add(
        self,
        methods: Mapping[str, Method],
        *,
        prefix: str,
        to: Served | None = None,
        fields: Fields | None = None,
    ) -> list[NewRoute[Route]]:
        """Adds methods by path: all of them, or none.

        Args:
            methods: by the path that gRPC calls them.
            prefix: of their routes.
            to: what gets them; by default `served`.
            fields: of their messages; by default those that all services share.

        Returns:
            The added routes, those at the methods' own paths included.

        Raises:
            SchemaError: rules cannot be served, or other methods have the same routes; lists all
                faults.
        """
        served = self.served if to is None else to
        fields = self._fields if fields is None else fields
        faults = SchemaFaults()
        routes: list[NewRoute[Route]] = []
        own_routes: dict[str, Route] = {}
        posts: set[str] = set()
        for method in methods.values():
            with faults.gathered():
                for binding in self._rules(method):
                    with faults.gathered():
                        ruled = self._route(method, binding.parse(), prefix, fields)
                        routes.append(ruled)
                        if ruled.verb == "POST":
                            posts.add(ruled.path)
                if method.path not in served.methods:
                    default = default_binding(method.descriptor)
                    own = self._route(method, default.parse(), prefix, fields)
                    own_routes[method.path] = own.target
                    if self._is_served(method, default) and method.path not in posts:
                        routes.append(own)
        served.router.add_all(routes, faults)
        served.routes.extend(routes)
        served.methods.update(methods)
        served.own_routes.update(own_routes)
        return routes

    def require_selected(self) -> None:
        """Raises SchemaError if an option names a method that is not registered."""
        if self._config is not None:
            methods = self.methods.values()
            self._config.require_methods(method.descriptor.full_name for method in methods)
        served = {method.descriptor.full_name for method in self.methods.values()}
        for name in sorted(self._event_ids.keys() - served):
            raise SchemaError(f"ids of events: expected a registered method, got {name!r}")
        for name in sorted(self._without_json - self._left_out):
            expected = "a registered method or binding"
            raise SchemaError(f"without_json: expected {expected}, got {name!r}")

    def _rules(self, method: Method) -> Iterator[Binding]:
        """Yields the rules of a method that are served, but for its default one."""
        for binding in bindings_of(method.descriptor, self._config):
            if self._is_served(method, binding) and not binding.is_default:
                yield binding

    def _is_served(self, method: Method, binding: Binding) -> bool:
        """True if `without_json` does not name a binding; notes what it names."""
        name = method.descriptor.full_name
        names = self._without_json.intersection((*patterns_of(name), f"{name} {binding.name}"))
        self._left_out |= names
        return not names

    def _route(
        self, method: Method, rule: HttpRule, prefix: str, fields: Fields
    ) -> NewRoute[Route]:
        return NewRoute(
            rule.verb,
            rule.template,
            Route(
                method,
                rule,
                Binder(
                    method,
                    rule,
                    fields,
                    strict=self._strict,
                    ignored_parameters=self._ignored_parameters,
                ),
                fields.codec.encoder(method.response_type, rule.response_body),
                method.response_type.ByteSize,
                self._event_id(method),
                _http_body(method, rule),
            ),
            prefix="" if rule.is_default else prefix,
            origin=rule.origin,
        )

    def _event_id(self, method: Method) -> Callable[[Message], str] | None:
        """Returns what reads the id of an event; raises SchemaError for a field that is no id."""
        name = self._event_ids.get(method.descriptor.full_name)
        if name is None:
            return None
        if not method.server_streaming:
            raise SchemaError(f"ids of events: {method.path} does not stream its responses")
        field = method.descriptor.output_type.fields_by_name.get(name)
        if field is None or field.is_repeated or field.type not in _ID_TYPES:
            owner = method.descriptor.output_type.full_name
            expected = f"a string or an integer of {owner}"
            raise SchemaError(f"ids of events: {method.path}: expected {expected}, got {name!r}")
        return lambda message: str(getattr(message, name))


def _http_body(method: Method, rule: HttpRule) -> HttpBodyGetter | None:
    if rule.is_default:
        return None
    return http_body_getter(method.descriptor.output_type, rule.response_body)


def methods_of(service: str, pool: DescriptorPool | None = None) -> dict[str, Method]:
    """Returns the methods of a service, by the path that gRPC calls them.

    Args:
        service: its full name, "package.Service".
        pool: the pool with its descriptor; by default the one that generated code fills.

    Raises:
        SchemaError: the pool does not know the service.
    """
    if pool is None:
        pool = descriptor_pool.Default()
    try:
        descriptor = pool.FindServiceByName(service)
    except KeyError as exc:
        raise SchemaError(
            f"service {service!r} has no descriptor in the pool: "
            "import its generated _pb2 module before registering it"
        ) from exc
    methods = {}
    for method in descriptor.methods:
        path = f"/{descriptor.full_name}/{method.name}"
        methods[path] = Method(
            path=path,
            request_type=message_class(method.input_type),
            response_type=message_class(method.output_type),
            client_streaming=method.client_streaming,
            server_streaming=method.server_streaming,
            descriptor=method,
        )
    return methods
