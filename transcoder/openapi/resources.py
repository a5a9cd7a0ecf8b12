"""Reads the resources of an API: their types, and the patterns of their names.

Follows google/api/resource.proto: a message is a resource (`resource`), a file names others
(`resource_definition`), and a field holds the name of one (`resource_reference`).
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor

from transcoder.openapi.extensions import extensions_of
from transcoder.openapi.values import Schema
from transcoder.routing.template import Literal, Segment

_RESOURCE: Final = "google.api.resource"
_DEFINITION: Final = "google.api.resource_definition"
_REFERENCE: Final = "google.api.resource_reference"
_NAME_FIELD: Final = "name"
_WILDCARD: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?:=\*\*?)?\}")
_OF_CHILD: Final = 2
"""Segments that the name of a child has behind that of its parent: "things/{thing}"."""


class Resources:
    """The resources that some files know."""

    def __init__(self) -> None:
        self._patterns: dict[str, tuple[str, ...]] = {}
        self._files: set[FileDescriptor] = set()

    def add(self, file: FileDescriptor) -> None:
        """Adds the resources of a file, and of what it imports."""
        waiting = [file]
        while waiting:
            known = waiting.pop()
            if known not in self._files:
                self._files.add(known)
                waiting += known.dependencies
                for resource in _resources(known):
                    self._patterns.setdefault(resource.type, tuple(resource.pattern))

    def names(self, field: FieldDescriptor, segments: Sequence[Segment]) -> list[str] | None:
        """Returns the names of the wildcards of a variable; None if no pattern fits.

        Args:
            field: the field that the variable fills.
            segments: of the variable.
        """
        for pattern in self._of_field(field, len(segments)):
            names = _names(pattern.split("/"), segments)
            if names is not None:
                return names
        return None

    def _beginnings(self, count: int) -> Iterator[str]:
        """Yields beginnings of all patterns: of resources above those that the files know."""
        for patterns in self._patterns.values():
            for pattern in patterns:
                yield "/".join(pattern.split("/")[:count])

    def _of_field(self, field: FieldDescriptor, count: int) -> Iterator[str]:
        """Yields the patterns of the names that a field holds; at last those of so many segments.

        Many APIs name projects and locations without importing their definitions.
        """
        reference = extensions_of(field).get(_REFERENCE)
        if reference is not None:
            yield from self._patterns.get(reference.type, ())
            for pattern in self._patterns.get(reference.child_type, ()):
                yield "/".join(pattern.split("/")[:-_OF_CHILD])
            yield from self._beginnings(count)
            return
        owner = field.containing_type
        resource = None if owner is None else extensions_of(owner).get(_RESOURCE)
        if resource is not None and field.name == (resource.name_field or _NAME_FIELD):
            yield from resource.pattern


def resource_notes(message: Descriptor) -> Schema:
    """Returns the keyword of a message that is a resource."""
    resource = extensions_of(message).get(_RESOURCE)
    if resource is None:
        return {}
    return {"x-google-resource": {"type": resource.type, "pattern": list(resource.pattern)}}


def reference_notes(options: Any) -> Schema:  # noqa: ANN401  options of a field, by name
    """Returns the keyword of a field that holds the name of a resource."""
    reference = options.get(_REFERENCE)
    if reference is None:
        return {}
    names = {"type": reference.type, "childType": reference.child_type}
    return {"x-google-resource-reference": {name: kind for name, kind in names.items() if kind}}


def _resources(file: FileDescriptor) -> Iterator[Any]:
    yield from extensions_of(file).get(_DEFINITION, ())
    waiting = [*file.message_types_by_name.values()]
    while waiting:
        message = waiting.pop()
        waiting += message.nested_types
        resource = extensions_of(message).get(_RESOURCE)
        if resource is not None:
            yield resource


def _names(pattern: Sequence[str], segments: Sequence[Segment]) -> list[str] | None:
    """Returns the names that a pattern has for the wildcards of segments, if both are alike."""
    if len(pattern) != len(segments):
        return None
    names: list[str] = []
    for own, segment in zip(pattern, segments, strict=True):
        wildcard = _WILDCARD.fullmatch(own)
        if isinstance(segment, Literal):
            if own != segment.text:
                return None
        elif wildcard is None:
            return None
        else:
            names.append(wildcard[1])
    return names
