"""Fills the update mask of a PATCH from the members of its body.

Follows AIP-134, for clients that send no mask. An empty mask gets the paths of the fields in the
body, down to fields that are not ordinary messages: lists, maps, Any, Struct and the like are
replaced whole. A null member is in the mask: it clears its field.
Rule: the body was read without error before, so its names and nesting are valid.
"""

from collections.abc import Iterator
from typing import Self

import orjson
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from transcoder.binding.fields import Field, FieldsByName
from transcoder.codec.wellknown import FIELD_MASK


class MaskFiller:
    """Fills the one FieldMask of a request."""

    def __init__(self, mask: str, fields: FieldsByName) -> None:
        """Makes a filler.

        Args:
            mask: the name of the request's field.
            fields: the fields of the body's message.
        """
        self._mask = mask
        self._fields = fields

    @classmethod
    def of(cls, request: Descriptor, body: Field) -> Self | None:
        """Returns the filler for a rule; None if the request has no mask field, or several."""
        masks = [
            field.name
            for field in request.fields
            if field.message_type is not None
            and field.message_type.full_name == FIELD_MASK
            and not field.is_repeated
        ]
        if len(masks) != 1 or body.fields is None or body.is_list or body.is_map:
            return None
        return cls(masks[0], body.fields)

    def fill(self, message: Message, body: bytes) -> None:
        """Sets the mask if it has no paths.

        Args:
            message: the request, bound.
            body: the JSON that was read into it.
        """
        held = getattr(message, self._mask).paths
        if not held:
            members: object = orjson.loads(body)
            paths = [*_paths(members, self._fields, "")] if isinstance(members, dict) else ()
            if paths:  # extending by nothing would set an empty mask
                held.extend(paths)


def _paths(members: dict[str, object], fields: FieldsByName, prefix: str) -> Iterator[str]:
    for name, value in members.items():
        field = fields.get(name)
        if field is None:
            continue
        path = prefix + field.name
        inner = None if field.is_list or field.is_map else field.fields
        if inner is not None and isinstance(value, dict) and value:
            yield from _paths(value, inner, f"{path}.")
        else:
            yield path
