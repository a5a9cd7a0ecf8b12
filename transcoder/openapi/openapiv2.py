"""Reads annotations of protoc-gen-openapiv2 as objects of an OpenAPI document.

Follows protoc-gen-openapiv2/options/openapiv2.proto of grpc-gateway, and the OpenAPI Specification
3.1.0 for what the terms of version 2 have become.
Rule 1: left out is what the routes say already: types, media types, `ref`; and where the API is
(`host`, `schemes`), as the document comes from there.
Rule 2: texts are CommonMark, without HTML; "&" and "<" are shown as they are.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    FieldDescriptor,
    FileDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)
from google.protobuf.json_format import MessageToDict

from transcoder.openapi.comments import shown_as_text
from transcoder.openapi.extensions import Described, extensions_of
from transcoder.openapi.values import Schema

_OPTIONS: Final = "grpc.gateway.protoc_gen_openapiv2.options.openapiv2_"

_NO_NAME: Final = re.compile("[^A-Za-z0-9._-]")
_OF_VALUE: Final = {
    "pattern": "pattern",
    "format": "format",
    "multiple_of": "multipleOf",
    "max_length": "maxLength",
    "min_length": "minLength",
}
_OF_CONTAINER: Final = {
    "max_items": "maxItems",
    "min_items": "minItems",
    "unique_items": "uniqueItems",
    "max_properties": "maxProperties",
    "min_properties": "minProperties",
}
_OF_INFO: Final = {"title": "title", "version": "version", "terms_of_service": "termsOfService"}
_OF_CONTACT: Final = {"name": "name", "url": "url", "email": "email"}
_AUTHORIZATION: Final = {"authorization_url": "authorizationUrl"}
_TOKEN: Final = {"token_url": "tokenUrl"}
_FLOWS: Final[Mapping[int, tuple[str, Mapping[str, str]]]] = {
    1: ("implicit", _AUTHORIZATION),
    2: ("password", _TOKEN),
    3: ("clientCredentials", _TOKEN),
    4: ("authorizationCode", {**_AUTHORIZATION, **_TOKEN}),
}
"""Names of OAuth flows in version 3 and their URLs, by the numbers of SecurityScheme.Flow."""
_BASIC, _API_KEY = 1, 2
_IN_QUERY: Final = 1


class FileNotes:
    """Holds the annotations of files; where two say the same thing, the first counts.

    Attributes:
        info: members of the Info Object.
        security_schemes: by name.
        security: security requirements of all operations; None if none are given.
        tags: Tag Objects by name.
        members: other members of the document.
    """

    def __init__(self, files: Iterable[FileDescriptor]) -> None:
        self.info: Schema = {}
        self.security_schemes: Schema = {}
        self.security: list[Schema] | None = None
        self.tags: dict[str, Schema] = {}
        self.members: Schema = {}
        for file in files:
            given = _given(file, "swagger")
            if given is not None:
                self._add(given)

    def _add(self, given: Any) -> None:  # noqa: ANN401  a Swagger
        self.info = _info(given.info) | self.info
        schemes = given.security_definitions.security
        known = {name: scheme for name, scheme in schemes.items() if scheme.type}
        made = _by_name(_security_scheme, known)
        named = {_component_name(name): scheme for name, scheme in made.items()}
        self.security_schemes = named | self.security_schemes
        if self.security is None and given.security:
            self.security = _security(given)
        for tag in given.tags:
            self.tags.setdefault(tag.name, _tag(tag))
        self.members = _external_docs(given) | _extensions(given) | self.members


def tag_notes(service: ServiceDescriptor) -> Schema:
    """Returns members of the Tag Object of a service; its name may be another one."""
    given = _given(service, "tag")
    return {} if given is None else _tag(given)


def operation_notes(method: MethodDescriptor) -> Schema:
    """Returns members of the Operation Object of a method, but for its responses."""
    given = _given(method, "operation")
    if given is None:
        return {}
    made = _members(given, {"operation_id": "operationId", "deprecated": "deprecated"})
    made |= _texts(given, "summary", "description")
    if given.tags:
        made["tags"] = list(given.tags)
    if given.security:
        made["security"] = _security(given)
    return made | _external_docs(given) | _extensions(given)


def response_notes(method: MethodDescriptor) -> dict[str, Schema]:
    """Returns members of the Response Objects of a method, by status; `examples` by media type."""
    given = _given(method, "operation")
    return {} if given is None else _by_name(_response, given.responses)


def message_notes(message: Descriptor) -> Schema:
    """Returns keywords of the schema of a message; `required` has names of fields."""
    given = _given(message, "schema")
    if given is None:
        return {}
    made = _keywords(given.json_schema) | _members(given.json_schema, _OF_CONTAINER)
    if given.json_schema.required:
        made["required"] = list(given.json_schema.required)
    if given.example:
        made["examples"] = [_json(given.example)]
    return made | _external_docs(given) | _extensions(given.json_schema)


def field_notes(field: FieldDescriptor, options: Mapping[str, Any]) -> tuple[Schema, Schema, bool]:
    """Returns keywords of a field: of its schema, of one value's if it is repeated; if required.

    Args:
        field: of a message.
        options: of the field.
    """
    given = options.get(_OPTIONS + "field")
    if given is None:
        return {}, {}, False
    is_required = not {field.name, field.json_name}.isdisjoint(given.required)
    keywords = _keywords(given) | _members(given, _OF_CONTAINER) | _extensions(given)
    of_value = _members(given, _OF_VALUE) | _range(given)
    if given.enum:
        of_value["enum"] = list(given.enum)
    if field.is_repeated:
        return keywords, of_value, is_required
    return keywords | of_value, {}, is_required


def enum_notes(enum: EnumDescriptor) -> Schema:
    """Returns keywords of the schema of an enum."""
    given = _given(enum, "enum")
    if given is None:
        return {}
    return _keywords(given) | _external_docs(given) | _extensions(given)


def _given(descriptor: Described, of: str) -> Any:  # noqa: ANN401  a message of openapiv2.proto
    return extensions_of(descriptor).get(_OPTIONS + of)


def _members(given: Any, names: Mapping[str, str]) -> Schema:  # noqa: ANN401
    """Returns the fields that are set, under other names; older versions lack some fields."""
    return {name: value for own, name in names.items() if (value := getattr(given, own, None))}


def _texts(given: Any, *names: str) -> Schema:  # noqa: ANN401
    return {name: shown_as_text(text) for name in names if (text := getattr(given, name, ""))}


def _keywords(given: Any) -> Schema:  # noqa: ANN401  a JSONSchema or an EnumSchema
    made = _texts(given, "title", "description")
    if given.read_only:
        made["readOnly"] = True
    if given.default:
        made["default"] = _json(given.default)
    if given.example:
        made["examples"] = [_json(given.example)]
    return made


def _range(given: Any) -> Schema:  # noqa: ANN401  a JSONSchema
    made: Schema = {}
    if given.maximum or given.exclusive_maximum:
        made["exclusiveMaximum" if given.exclusive_maximum else "maximum"] = given.maximum
    if given.minimum or given.exclusive_minimum:
        made["exclusiveMinimum" if given.exclusive_minimum else "minimum"] = given.minimum
    return made


def _info(given: Any) -> Schema:  # noqa: ANN401  an Info
    made = _members(given, _OF_INFO) | _texts(given, "description")
    contact = _members(given.contact, _OF_CONTACT)
    if contact:
        made["contact"] = contact
    if given.license.name:
        made["license"] = _members(given.license, {"name": "name", "url": "url"})
    return made | _extensions(given)


def _tag(given: Any) -> Schema:  # noqa: ANN401  a Tag
    return _members(given, {"name": "name"}) | _texts(given, "description") | _external_docs(given)


def _response(given: Any) -> Schema:  # noqa: ANN401  a Response
    made = _texts(given, "description") | _extensions(given)
    if getattr(given, "headers", None):
        made["headers"] = _by_name(_header, given.headers)
    if given.examples:
        made["examples"] = _by_name(_json, given.examples)
    return made


def _header(given: Any) -> Schema:  # noqa: ANN401  a Header
    names = {"type": "type", "format": "format", "pattern": "pattern"}
    schema = _members(given, names)
    if given.default:
        schema["default"] = _json(given.default)
    return _texts(given, "description") | {"schema": schema}


def _security_scheme(given: Any) -> Schema:  # noqa: ANN401  a SecurityScheme
    made = _texts(given, "description") | _extensions(given)
    if given.type == _BASIC:
        return made | {"type": "http", "scheme": "basic"}
    if given.type == _API_KEY:
        place = "query" if getattr(given, "in") == _IN_QUERY else "header"
        return made | {"type": "apiKey", "name": given.name, "in": place}
    name, urls = _FLOWS.get(given.flow, _FLOWS[1])
    flow = {new: getattr(given, own) for own, new in urls.items()}
    flow["scopes"] = dict(given.scopes.scope)
    return made | {"type": "oauth2", "flows": {name: flow}}


def _security(given: Any) -> list[Schema]:  # noqa: ANN401  with a list of SecurityRequirements
    """Returns what is required; an empty requirement takes away those of the document."""
    requirements = (each.security_requirement for each in given.security)
    return [
        {_component_name(name): list(value.scope) for name, value in requirement.items()}
        for requirement in requirements
        if requirement
    ]


def _component_name(name: str) -> str:
    """Returns a name that version 3 has for components; version 2 has any."""
    return _NO_NAME.sub("_", name)


def _external_docs(given: Any) -> Schema:  # noqa: ANN401
    docs = given.external_docs
    if not docs.url:
        return {}
    return {"externalDocs": {"url": docs.url} | _texts(docs, "description")}


def _extensions(given: Any) -> Schema:  # noqa: ANN401
    """Returns members that OpenAPI leaves to its users, whose names begin with "x-"."""
    return {
        name: MessageToDict(value)
        for name, value in sorted(getattr(given, "extensions", {}).items())
        if name.startswith("x-")
    }


def _by_name(made_of: Any, given: Mapping[str, Any]) -> Schema:  # noqa: ANN401  a function
    return {name: made_of(value) for name, value in sorted(given.items())}


def _json(text: str) -> object:
    """Returns the value of JSON; a text that is none as it is."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
