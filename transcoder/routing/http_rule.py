"""Finds the HTTP rules of a method.

Follows google/api/http.proto, "gRPC Transcoding". A service configuration's rule for a method
stands instead of its annotation (service_config.py); a method without either is served at
`POST /package.Service/Method` with the whole message as its body.
Rule: templates are parsed here; what a rule says of the request's fields is checked by the binding.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError

from transcoder.errors import SchemaError
from transcoder.routing.service_config import ServiceConfig
from transcoder.routing.template import PathTemplate

_VERB_CHARS: Final = frozenset(
    "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)


@dataclass(frozen=True, slots=True)
class HttpRule:
    """One way to reach a method over HTTP."""

    origin: str
    """Names the rule in errors: its configuration, if it has one, and its method."""
    verb: str
    """The HTTP method, as on the request line; "*" for any."""
    template: PathTemplate
    body: str
    """"" for none, "*" for the whole message, or a field of the request."""
    response_body: str
    """"" for the whole message, or a field of the response."""
    is_default: bool = False
    """Made for a method that has no rule: a prefix does not apply to it."""

    @property
    def where(self) -> str:
        """Returns the rule as errors name it."""
        return f"{self.origin}: {self.verb} {self.template.text}"


def rules_of(method: MethodDescriptor, config: ServiceConfig | None = None) -> tuple[HttpRule, ...]:
    """Returns the rule of a method and its additional bindings, or the default one.

    Raises:
        SchemaError: names the method and what is wrong with its rule.
    """
    name = method.full_name
    configured = config.rule_of(name) if config is not None else None
    if configured is not None:
        origin, rule = f"{configured.origin}: {name}", configured.rule
    else:
        options = _options_of(method)
        if not options.HasExtension(annotations_pb2.http):
            path = f"/{method.containing_service.full_name}/{method.name}"
            return (HttpRule(name, "POST", PathTemplate.parse(path), "*", "", is_default=True),)
        origin, rule = name, options.Extensions[annotations_pb2.http]
    return tuple(_parse_binding(binding, method, origin) for binding in _bindings(rule, origin))


def _options_of(method: MethodDescriptor) -> descriptor_pb2.MethodOptions:
    """Parses options again: read before annotations_pb2 was imported, they miss the annotation."""
    try:
        return descriptor_pb2.MethodOptions.FromString(method.GetOptions().SerializeToString())
    except DecodeError as exc:
        raise SchemaError(f"{method.full_name}: its options cannot be parsed") from exc


def _bindings(rule: http_pb2.HttpRule, origin: str) -> Iterator[http_pb2.HttpRule]:
    yield rule
    for binding in rule.additional_bindings:
        if binding.additional_bindings:
            raise SchemaError(f"{origin}: additional_bindings within additional_bindings")
        yield binding


def _parse_binding(rule: http_pb2.HttpRule, method: MethodDescriptor, origin: str) -> HttpRule:
    pattern = rule.WhichOneof("pattern")
    if pattern is None:
        raise SchemaError(f"{origin}: its google.api.http rule has no method and path")
    if pattern == "custom":
        verb, path = rule.custom.kind, rule.custom.path
    else:
        verb, path = pattern.upper(), getattr(rule, pattern)
    if not verb or not _VERB_CHARS.issuperset(verb):
        raise SchemaError(f"{origin}: expected an HTTP method as custom kind, got {verb!r}")
    try:
        template = PathTemplate.parse(path)
    except SchemaError as exc:
        raise SchemaError(f"{origin}: {verb} {exc}") from exc
    if rule.response_body and rule.response_body not in method.output_type.fields_by_name:
        raise SchemaError(
            f"{origin}: {verb} {path}: response_body {rule.response_body!r} "
            f"is not a field of {method.output_type.full_name}"
        )
    return HttpRule(origin, verb, template, rule.body, rule.response_body)
