"""Finds the HTTP rules of a method.

Follows google/api/http.proto, "gRPC Transcoding". A service configuration's rule for a method
replaces its annotation (service_config.py). Each method is served at `POST /package.Service/Method`
too, with the whole message as its body.
Rule: templates are parsed here; the binding checks the fields of the request that a rule names.
"""

import logging
from dataclasses import dataclass
from typing import Final

from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError

from transcoder.errors import SchemaError
from transcoder.routing.service_config import ServiceConfig
from transcoder.routing.template import Literal, PathTemplate

logger = logging.getLogger(__name__)

_VERB_CHARS: Final = frozenset(
    "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)


@dataclass(frozen=True, slots=True)
class HttpRule:
    """One way to reach a method over HTTP."""

    origin: str
    """The source of the rule, for errors: the configuration, if there is one, and the method."""
    verb: str
    """The HTTP method, as on the request line; "*" for any."""
    template: PathTemplate
    body: str
    """"" for none, "*" for the whole message, or a field of the request."""
    response_body: str
    """"" for the whole message, or a field of the response."""
    is_default: bool = False
    """True for the rule that each method has; a prefix does not apply to it."""

    @property
    def where(self) -> str:
        """Returns the rule as errors name it."""
        return f"{self.origin}: {self.verb} {self.template.text}"


@dataclass(frozen=True, slots=True)
class Binding:
    """One HTTP rule of a method as it is written, before it is parsed and checked."""

    method: MethodDescriptor
    origin: str
    """Names the rule in errors."""
    rule: http_pb2.HttpRule
    is_additional: bool = False
    is_default: bool = False

    @property
    def name(self) -> str:
        """Returns the binding as it is named: "GET /v1/{name=shelves/*}"."""
        return " ".join(_pattern_of(self.rule))

    def parse(self) -> HttpRule:
        """Reads the binding.

        Raises:
            SchemaError: names the method and what is wrong with its rule.
        """
        rule, output = self.rule, self.method.output_type
        if self.is_additional and rule.additional_bindings:
            raise SchemaError(f"{self.origin}: additional_bindings within additional_bindings")
        if rule.WhichOneof("pattern") is None:
            raise SchemaError(f"{self.origin}: its google.api.http rule has no method and path")
        verb, path = _pattern_of(rule)
        if not verb or not _VERB_CHARS.issuperset(verb):
            raise SchemaError(
                f"{self.origin}: expected an HTTP method as custom kind, got {verb!r}"
            )
        try:
            template = PathTemplate.parse(path)
        except SchemaError as exc:
            raise SchemaError(f"{self.origin}: {verb} {exc}") from exc
        _warn_of_verbs(template, f"{self.origin}: {verb} {path}")
        if rule.response_body and rule.response_body not in output.fields_by_name:
            raise SchemaError(
                f"{self.origin}: {verb} {path}: response_body {rule.response_body!r} "
                f"is not a field of {output.full_name}"
            )
        return HttpRule(
            self.origin, verb, template, rule.body, rule.response_body, is_default=self.is_default
        )


def bindings_of(method: MethodDescriptor, config: ServiceConfig | None = None) -> list[Binding]:
    """Returns the rule of a method and its additional bindings, or the default one.

    Raises:
        SchemaError: the options of the method cannot be read.
    """
    name = method.full_name
    configured = config.rule_of(name) if config is not None else None
    if configured is not None:
        origin, rule = f"{configured.origin}: {name}", configured.rule
    else:
        options = _options_of(method)
        if not options.HasExtension(annotations_pb2.http):
            return [default_binding(method)]
        origin, rule = name, options.Extensions[annotations_pb2.http]
    return [
        Binding(method, origin, rule),
        *(
            Binding(method, origin, binding, is_additional=True)
            for binding in rule.additional_bindings
        ),
    ]


def default_binding(method: MethodDescriptor) -> Binding:
    """Returns the rule by which each method is served, at the path that gRPC calls it."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    rule = http_pb2.HttpRule(post=path, body="*")
    return Binding(method, method.full_name, rule, is_default=True)


def _options_of(method: MethodDescriptor) -> descriptor_pb2.MethodOptions:
    """Parses the options again: parsed before annotations_pb2 was imported, they lack the rule."""
    try:
        return descriptor_pb2.MethodOptions.FromString(method.GetOptions().SerializeToString())
    except DecodeError as exc:
        raise SchemaError(f"{method.full_name}: its options cannot be parsed") from exc


def _warn_of_verbs(template: PathTemplate, where: str) -> None:
    """Logs a verb that stands within a variable, "{name=a:b}", where it is part of the value."""
    for variable in template.variables:
        for segment in template.segments[variable.start : variable.end]:
            if isinstance(segment, Literal) and ":" in segment.text:
                name = ".".join(variable.field_path)
                logger.warning(
                    "%s: ':' is part of variable %r, not a verb: write a verb behind '}'",
                    where,
                    name,
                )


def _pattern_of(rule: http_pb2.HttpRule) -> tuple[str, str]:
    """Returns the HTTP method and the path of a rule."""
    pattern = rule.WhichOneof("pattern")
    if pattern is None:
        return "", ""
    if pattern == "custom":
        return rule.custom.kind, rule.custom.path
    return pattern.upper(), getattr(rule, pattern)
