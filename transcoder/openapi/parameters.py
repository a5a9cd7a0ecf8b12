"""Describes the parameters of an operation: segments of its path, and fields in its query.

Follows the OpenAPI Specification 3.1.0, "Parameter Object"; forms of values are those of
transcoder/binding/query.py. Left out of queries are fields of messages in lists and in maps.
Rule: an operation has at most PARAMETERS_MAX parameters, of messages LEVELS_MAX deep: messages that
lead to hundreds of others would make a document of 100 MB. Outer fields come first.
"""

from collections import deque
from collections.abc import Collection, Iterator
from typing import Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from transcoder.binding.binder import fields_on
from transcoder.codec import structs
from transcoder.codec.message_types import map_entry
from transcoder.codec.wellknown import ANY, SPECIAL
from transcoder.openapi.paths import DocumentPath, PathParameter
from transcoder.openapi.schemas import Schemas
from transcoder.openapi.values import Schema
from transcoder.routing.template import Variable

PARAMETERS_MAX: Final = 200
"""Max parameters in the query of one operation."""
LEVELS_MAX: Final = 4
"""Max names in the name of one parameter: "a.b.c.d"."""

_SLASHES: Final = "May hold slashes."


def variable_name(variable: Variable, request: Descriptor, schemas: Schemas) -> str:
    """Returns the name of a variable's field, as JSON has its names."""
    fields = fields_on(variable.field_path, request, "a path")
    return ".".join(map(schemas.name_of, fields))


def path_parameters(path: DocumentPath, request: Descriptor, schemas: Schemas) -> list[Schema]:
    """Describes the parameters of a path.

    Args:
        path: of the operation.
        request: the type whose fields the parameters fill.
        schemas: of the document.
    """
    return [_of_segment(parameter, request, schemas) for parameter in path.parameters]


def query_parameters(
    request: Descriptor, bound: Collection[tuple[str, ...]], schemas: Schemas
) -> list[Schema]:
    """Describes the fields of a request that its query can have.

    Args:
        request: the type of the request.
        bound: fields that the path or the body binds, each as names from the top.
        schemas: of the document.
    """
    made: list[Schema] = []
    waiting: deque[tuple[tuple[FieldDescriptor, ...], Descriptor]] = deque([((), request)])
    while waiting and len(made) < PARAMETERS_MAX:
        above, owner = waiting.popleft()
        for field in owner.fields:
            fields = (*above, field)
            if tuple(each.name for each in fields) in bound:
                continue
            of = _expanded(field)
            if of is None:
                made += _of_query(fields, schemas)
            elif len(fields) < LEVELS_MAX and of not in (request, *_types(above)):
                waiting.append((fields, of))
    return made[:PARAMETERS_MAX]


def _types(fields: tuple[FieldDescriptor, ...]) -> Iterator[Descriptor | None]:
    return (field.message_type for field in fields)


def _of_segment(parameter: PathParameter, request: Descriptor, schemas: Schemas) -> Schema:
    made: Schema = {"name": parameter.name, "in": "path", "required": True}
    texts = [_SLASHES] if parameter.is_multi else []
    if parameter.variable is None:
        return made | _described(texts) | {"schema": {"type": "string"}}
    *_, field = fields_on(parameter.variable.field_path, request, "a path")
    if not parameter.is_whole:
        name = variable_name(parameter.variable, request, schemas)
        texts.insert(0, f"A part of `{name}`.")
        return made | _described(texts) | {"schema": {"type": "string", "minLength": 1}}
    schema = schemas.of_field(field)
    if "description" in schema and "$ref" not in schema:
        texts.insert(0, schema.pop("description"))
    return made | _described(texts) | _valued(field, schema)


def _described(texts: list[str]) -> Schema:
    return {"description": " ".join(texts)} if texts else {}


def _expanded(field: FieldDescriptor) -> Descriptor | None:
    """Returns the message whose fields are parameters in place of the field; None for others."""
    of = field.message_type
    is_one = of is not None and not field.is_repeated
    return of if is_one and of is not None and of.full_name not in SPECIAL else None


def _of_query(fields: tuple[FieldDescriptor, ...], schemas: Schemas) -> Iterator[Schema]:
    field = fields[-1]
    entry = map_entry(field)
    held = field if entry is None else entry.fields_by_name["value"]
    of = held.message_type
    if of is not None and (of.full_name == ANY or of.full_name not in SPECIAL):
        return
    made: Schema = {"name": ".".join(map(schemas.name_of, fields)), "in": "query"}
    schema = schemas.of_field(field)
    if len(fields) == 1 and schemas.is_required(field):
        made["required"] = True
    if "deprecated" in schema:
        made["deprecated"] = True
    if "description" in schema:
        made["description"] = schema.pop("description")
    if entry is not None:
        made |= {"style": "deepObject", "explode": True}
    yield made | _valued(field, schema)


def _valued(field: FieldDescriptor, schema: Schema) -> Schema:
    """Returns the schema of a parameter, or its content where its text is JSON."""
    of = field.message_type
    if of is not None and of.full_name in structs.STRUCT_FORMS and not field.is_repeated:
        return {"content": {"application/json": {"schema": schema}}}
    return {"schema": schema}
