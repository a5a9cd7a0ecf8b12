"""Makes the OpenAPI document of the routes of a Transcoder.

Follows the OpenAPI Specification 3.1.0.
Rule 1: a method has an operation for each of its rules. One without a rule has the operation of its
own path, `POST /package.Service/Method`.
Rule 2: a route that the document cannot hold is listed under `x-unwritten-routes`: of an HTTP
method that OpenAPI does not know, or of a path that another route has under other wildcards.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from transcoder.binding.binder import fields_on
from transcoder.errors import SchemaError
from transcoder.openapi.bodies import error_schema, request_body, responses
from transcoder.openapi.comments import Comments
from transcoder.openapi.head import head
from transcoder.openapi.openapiv2 import FileNotes, operation_notes, tag_notes
from transcoder.openapi.parameters import path_parameters, query_parameters, variable_name
from transcoder.openapi.paths import DocumentPath, document_path
from transcoder.openapi.resources import Resources
from transcoder.openapi.schemas import Schemas
from transcoder.openapi.values import Schema
from transcoder.options import JsonOptions, OpenApi
from transcoder.registry import Route
from transcoder.routing.router import NewRoute
from transcoder.routing.service_config import patterns_of
from transcoder.routing.template import Multi, PathTemplate, Variable

_VERBS: Final = frozenset({"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"})
"""The HTTP methods of a Path Item Object."""


class Part(NamedTuple):
    """A part of a document.

    Attributes:
        service: the full name of the service whose methods it has; empty for all.
        tag: the tag that its operations have; empty for all.
    """

    service: str = ""
    tag: str = ""

    def has(self, method: MethodDescriptor) -> bool:
        """True if the part has the operations of a method."""
        if self.service not in ("", method.containing_service.full_name):
            return False
        return not self.tag or self.tag in _tags_of(method)


class Document:
    """The document of one Transcoder.

    Attributes:
        changes_count: how often its routes have changed.
    """

    def __init__(self, options: OpenApi, json: JsonOptions) -> None:
        """Starts without routes.

        Args:
            options: of the document.
            json: how messages and errors are written.

        Raises:
            SchemaError: the descriptor set cannot be read.
        """
        self._options = options
        self._json = json
        self._comments = Comments(options.descriptor_set)
        self._routes: Sequence[NewRoute[Route]] = ()
        self.changes_count = 0

    def show(self, routes: Sequence[NewRoute[Route]]) -> None:
        """Has these routes from now on."""
        self._routes = routes
        self.changes_count += 1

    def require_selected(self, methods: Collection[str]) -> None:
        """Raises SchemaError if an option selects no method of these full names."""
        selected = {pattern for name in methods for pattern in patterns_of(name)}
        for pattern in sorted(set(self._options.public_methods) - selected):
            raise SchemaError(f"public_methods: expected a registered method, got {pattern!r}")

    def content(self, part: Part = Part()) -> Schema:  # noqa: B008  frozen
        """Returns the document, or a part of it; takes a thread's time, some 0.4 ms a method."""
        schemas = Schemas(self._json, self._comments)
        writing = _Writing(self._options, schemas, self._comments, self._json)
        routes = tuple(self._routes)
        writing.reserve(route.target.method.descriptor.full_name for route in routes)
        ruled = {route.target.method.path for route in routes if not route.target.rule.is_default}
        shown = (
            route
            for route in routes
            if (not route.target.rule.is_default or route.target.method.path not in ruled)
            and part.has(route.target.method.descriptor)
        )
        for route in sorted(shown, key=_has_multi):  # of one path the narrower route is shown
            writing.add(route)
        return writing.content()


class _Shape(NamedTuple):
    """A path of the document, and its operations by HTTP method in lower case."""

    path: DocumentPath
    operations: Schema


class _Writing:
    """A document while its routes are written."""

    def __init__(
        self, options: OpenApi, schemas: Schemas, comments: Comments, json: JsonOptions
    ) -> None:
        self._options = options
        self._public = frozenset(options.public_methods)
        self._schemas = schemas
        self._comments = comments
        self._error = error_schema(schemas, has_envelope=json.error_envelope)
        self._shapes: dict[str, _Shape] = {}
        self._services: dict[str, ServiceDescriptor] = {}
        self._tags: dict[str, Schema] = {}
        self._resources = Resources()
        self._unwritten: list[str] = []
        self._ids: set[str] = set()
        self._reserved: frozenset[str] = frozenset()

    def reserve(self, names: Iterable[str]) -> None:
        """Keeps the full names of methods for their first operations."""
        self._reserved = frozenset(names)

    def add(self, route: NewRoute[Route]) -> None:
        """Writes the operation of a route."""
        method = route.target.method.descriptor
        verb = route.verb.lower()
        path = document_path(
            route.prefix,
            route.template,
            lambda variable: variable_name(variable, method.input_type, self._schemas),
            lambda variable: self._wildcard_names(route.template, variable, method),
        )
        held = self._shapes.get(path.shape)
        if route.verb not in _VERBS or (held is not None and verb in held.operations):
            where = f"{route.verb} {route.prefix}{route.template.text}"
            self._unwritten.append(f"{where} {method.full_name}")
            return
        if held is None:
            held = self._shapes[path.shape] = _Shape(path, {})
        held.operations[verb] = self._operation(route.target, path.named_as(held.path))

    def _wildcard_names(
        self, template: PathTemplate, variable: Variable, method: MethodDescriptor
    ) -> list[str] | None:
        """Returns the names that the pattern of a resource has for the wildcards of a variable."""
        self._resources.add(method.containing_service.file)
        *_, field = fields_on(variable.field_path, method.input_type, "a path")
        return self._resources.names(field, template.segments[variable.start : variable.end])

    def content(self) -> Schema:
        """Returns the document."""
        self._schemas.complete()
        notes = FileNotes({service.file: None for service in self._services.values()})
        tags = self._tags | {
            name: self._tags.get(name, {}) | tag for name, tag in notes.tags.items()
        }
        components: Schema = {"schemas": dict(sorted(self._schemas.components.items()))}
        schemes = notes.security_schemes | dict(self._options.security)
        if schemes:
            components["securitySchemes"] = schemes
        paths = {shape.path.text: shape.operations for shape in self._shapes.values()}
        made = head(self._options, notes) | {"tags": [*tags.values()]}
        made |= {"paths": paths, "components": components}
        return made | ({"x-unwritten-routes": self._unwritten} if self._unwritten else {})

    def _operation(self, route: Route, path: DocumentPath) -> Schema:
        method, schemas = route.method.descriptor, self._schemas
        service = method.containing_service
        self._services[service.full_name] = service
        self._add_tag(service)
        made: Schema = {"operationId": "", "tags": _tags_of(method)}
        made["summary"] = self._comments.summary(method.full_name) or method.name
        description = self._comments.description(method.full_name)
        if description:
            made["description"] = description
        made |= operation_notes(method)
        made["operationId"] = self._operation_id(made["operationId"] or method.full_name)
        if method.GetOptions().deprecated or service.GetOptions().deprecated:
            made["deprecated"] = True
        if not self._public.isdisjoint(patterns_of(method.full_name)):
            made["security"] = []
        made["x-grpc-path"] = route.method.path
        parameters = path_parameters(path, method.input_type, schemas)
        if route.rule.body != "*":
            bound = {variable.field_path for variable in route.rule.template.variables}
            bound.add((route.rule.body,))
            parameters += query_parameters(method.input_type, bound, schemas)
        if parameters:
            made["parameters"] = parameters
        body = request_body(route, schemas)
        if body is not None:
            made["requestBody"] = body
        return made | {"responses": responses(route, schemas, self._error)}

    def _operation_id(self, name: str) -> str:
        """Returns a name of a method, with a number from its second operation on."""
        count, found = 1, name
        while found in self._ids or (count > 1 and found in self._reserved):
            count += 1
            found = f"{name}_{count}"
        self._ids.add(found)
        return found

    def _add_tag(self, service: ServiceDescriptor) -> None:
        tag = {"name": service.full_name}
        description = self._comments.description(service.full_name)
        tag |= ({"description": description} if description else {}) | tag_notes(service)
        self._tags[tag["name"]] = tag


def _tags_of(method: MethodDescriptor) -> list[str]:
    """Returns the names of the tags of a method, by default that of its service."""
    service = method.containing_service
    tags: list[str] = operation_notes(method).get("tags", [])
    return tags or [tag_notes(service).get("name", service.full_name)]


def _has_multi(route: NewRoute[Route]) -> bool:
    return any(isinstance(segment, Multi) for segment in route.template.segments)
