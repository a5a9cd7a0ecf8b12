"""Describes the body of a request, and the answers of an operation, by their media types.

Follows the OpenAPI Specification 3.1.0, "Request Body Object" and "Responses Object"; the bodies
are those of transcoder/binding/ and transcoder/protocols/rest_streams.py.
"""

import re
from typing import Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.rpc.status_pb2 import Status

from transcoder.binding.form import holds_file
from transcoder.codec.message_types import map_entry
from transcoder.codec.structs import STRUCT
from transcoder.codec.wellknown import SPECIAL
from transcoder.http.body import JSON_TYPE
from transcoder.openapi.openapiv2 import response_notes
from transcoder.openapi.schemas import Schemas
from transcoder.openapi.values import ANY, Schema
from transcoder.protocols.stream_formats import ARRAY, EVENTS, NDJSON
from transcoder.registry import Route

_ANY_TYPE: Final = "*/*"
_FORM_TYPE: Final = "multipart/form-data"
_FILE: Final[Schema] = {"type": "string", "contentMediaType": "application/octet-stream"}
_STATUS: Final = re.compile("default|[1-5]([0-9]{2}|XX)")
_LINES: Final = "The schema is that of each line."
_EVENTS: Final = (
    "The data of each event is JSON; the event `end` is the last one, `error` has a Status."
)


def request_body(route: Route, schemas: Schemas) -> Schema | None:
    """Describes the body of requests; None if it is not read."""
    rule, request = route.rule, route.method.descriptor.input_type
    if not rule.body:
        return None
    if route.binder.upload is not None:
        return {"content": {_ANY_TYPE: {}}}
    bound = _bound_fields(route)
    if rule.body != "*":
        field = request.fields_by_name[rule.body]
        schema, held = schemas.of_field(field), field.message_type
        is_required = schemas.is_required(field)
    elif bound:
        schema, held = schemas.of_fields(request, without=bound), request
        is_required = schemas.requires_any(request, without=bound)
    else:
        schema, held = schemas.of_message(request), request
        is_required = schemas.requires_any(request)
    if route.method.client_streaming:
        content: Schema = {
            NDJSON: {"schema": schema},
            ARRAY: {"schema": {"type": "array", "items": schema}},
        }
        return {"description": f"A stream. {NDJSON}: {_LINES}", "content": content}
    content = {JSON_TYPE: {"schema": schema}}
    if route.binder.form is not None and held is not None:
        content[_FORM_TYPE] = {"schema": _of_form(held, bound, schemas)}
    return {"content": content} | ({"required": True} if is_required else {})


def responses(route: Route, schemas: Schemas, error: Schema) -> Schema:
    """Describes the answers: of success, and of every failure.

    Args:
        route: of the operation.
        schemas: of the document.
        error: the schema of the JSON of a failure.
    """
    made = {"200": _success(route, schemas, error), "default": _failure(error)}
    for status, notes in response_notes(route.method.descriptor).items():
        if _STATUS.fullmatch(status):
            made[status] = _noted(made.get(status) or _failure(error), notes)
    return made


def error_schema(schemas: Schemas, *, has_envelope: bool) -> Schema:
    """Returns the schema of an error: google.rpc.Status, or the envelope of AIP-193."""
    if not has_envelope:
        return schemas.of_message(Status.DESCRIPTOR)
    properties: Schema = {
        "code": {"type": "integer", "description": "The HTTP status."},
        "message": {"type": "string"},
        "status": {"type": "string", "description": "A name of google.rpc.Code."},
        "details": {"type": "array", "items": dict(ANY)},
    }
    inner: Schema = {"type": "object", "properties": properties}
    return {"type": "object", "properties": {"error": inner}, "required": ["error"]}


def _failure(error: Schema) -> Schema:
    return {"description": "A failure.", "content": {JSON_TYPE: {"schema": error}}}


def _noted(response: Schema, notes: Schema) -> Schema:
    """Returns a response with what annotations say of it."""
    examples = notes.pop("examples", {})
    content = dict(response["content"])
    for media_type, example in examples.items():
        content[media_type] = content.get(media_type, {}) | {"example": example}
    return response | {"content": content} | notes


def _success(route: Route, schemas: Schemas, error: Schema) -> Schema:
    if route.http_body is not None:
        return {"description": "Success: bytes of any type.", "content": {_ANY_TYPE: {}}}
    schema = _response_schema(route, schemas)
    if not route.method.server_streaming:
        return {"description": "Success.", "content": {JSON_TYPE: {"schema": schema}}}
    of_error = error.get("properties", {}).get("error", error)
    line = {"type": "object", "properties": {"result": schema, "error": of_error}}
    content = {
        NDJSON: {"schema": line},
        ARRAY: {"schema": {"type": "array", "items": schema}},
        EVENTS: {"schema": {"type": "string"}},
    }
    text = f"A stream. {NDJSON}: {_LINES} {EVENTS}: {_EVENTS}"
    return {"description": text, "content": content}


def _response_schema(route: Route, schemas: Schemas) -> Schema:
    response, name = route.method.descriptor.output_type, route.rule.response_body
    if not name:
        return schemas.of_message(response)
    field = response.fields_by_name[name]
    schema = schemas.of_field(field)
    return {"anyOf": [schema, {"type": "null"}]} if _may_be_null(field) else schema


def _may_be_null(field: FieldDescriptor) -> bool:
    """True if the JSON of the field alone is null where the field is unset."""
    of = field.message_type
    return of is not None and not field.is_repeated and of.full_name in SPECIAL - {STRUCT}


def _bound_fields(route: Route) -> frozenset[str]:
    """Returns the fields of a request that the path fills whole."""
    paths = (variable.field_path for variable in route.rule.template.variables)
    return frozenset(path[0] for path in paths if len(path) == 1)


def _of_form(held: Descriptor, bound: frozenset[str], schemas: Schemas) -> Schema:
    schema = schemas.of_fields(held, without=bound)
    for field in held.fields:
        if holds_file(field) and map_entry(field) is None and field.name not in bound:
            file: Schema = {"type": "array", "items": _FILE} if field.is_repeated else _FILE
            schema["properties"][schemas.name_of(field)] = dict(file)
    return schema
