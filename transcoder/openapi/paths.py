"""Writes path templates as OpenAPI has paths: a parameter is one segment.

`/v1/{name=shelves/*}:open` is `/v1/shelves/{shelvesId}:open`: each `*` of a variable is a parameter
of its own, named as the pattern of a resource names it, or after the segment before it. `**` is one
parameter, which may hold slashes.
Follows the OpenAPI Specification 3.1.0, "Paths Object".
Rule: two paths that differ only in names of parameters are one path, with the names of the first.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple
from urllib.parse import quote

from transcoder.routing.template import Literal, Multi, PathTemplate, Variable

_SEGMENT_SAFE: Final = "!$&'()*+,;=:@"
_NO_NAME: Final = re.compile(r"[^A-Za-z0-9_]")
_REFUSED: Final = re.compile(r"[{}/?#]")
"""Characters that a name in a path cannot have; JSON names may have any."""


class PathParameter(NamedTuple):
    """A parameter of a path.

    Attributes:
        name: in the document.
        variable: the variable that it fills, alone or with others; None for an unnamed wildcard.
        is_whole: True if it is the whole value of the variable.
        is_multi: True if it may hold slashes.
    """

    name: str
    variable: Variable | None
    is_whole: bool
    is_multi: bool


class DocumentPath(NamedTuple):
    """A path of the document.

    Attributes:
        shape: the path with `{}` for each parameter; equal for equal paths.
        parameters: in the order of the path.
    """

    shape: str
    parameters: tuple[PathParameter, ...]

    @property
    def text(self) -> str:
        """Returns the key of the path in the document."""
        parts = self.shape.split("{}")
        names = [f"{{{parameter.name}}}" for parameter in self.parameters]
        return "".join(part + name for part, name in zip(parts, [*names, ""], strict=True))

    def named_as(self, other: "DocumentPath") -> "DocumentPath":
        """Returns the path with the names of another of the same shape."""
        pairs = zip(self.parameters, other.parameters, strict=True)
        renamed = tuple(own._replace(name=first.name) for own, first in pairs)
        return self._replace(parameters=renamed)


def document_path(
    prefix: str,
    template: PathTemplate,
    name_of: Callable[[Variable], str],
    wildcard_names: Callable[[Variable], list[str] | None] = lambda _: None,
) -> DocumentPath:
    """Returns a template as a path.

    Args:
        prefix: literals before the template.
        template: of the route.
        name_of: returns the name of a variable, "page.size".
        wildcard_names: returns the names of the wildcards of a variable of several segments; None
            if they have none.
    """
    named = dict(_named_wildcards(template, wildcard_names))
    parts: list[str] = []
    parameters: list[PathParameter] = []
    taken: set[str] = set()
    for index, segment in enumerate(template.segments):
        if isinstance(segment, Literal):
            parts.append(quote(segment.text, safe=_SEGMENT_SAFE))
            continue
        variable = next((v for v in template.variables if v.start <= index < v.end), None)
        is_whole = variable is not None and variable.end - variable.start == 1
        if variable is not None and is_whole:
            name = _REFUSED.sub("_", name_of(variable))
        else:
            name = named.get(index) or _name_after(template, index, variable)
        name = _untaken(name, taken)
        parts.append("{}")
        parameters.append(PathParameter(name, variable, is_whole, isinstance(segment, Multi)))
    verb = ":" + quote(template.verb, safe=_SEGMENT_SAFE) if template.verb else ""
    return DocumentPath(f"{prefix}/{'/'.join(parts)}{verb}", tuple(parameters))


def _named_wildcards(
    template: PathTemplate, wildcard_names: Callable[[Variable], list[str] | None]
) -> Iterator[tuple[int, str]]:
    """Yields the names of wildcards by their places in a template."""
    for variable in template.variables:
        names = wildcard_names(variable) if variable.end - variable.start > 1 else None
        places = range(variable.start, variable.end)
        wildcards = [at for at in places if not isinstance(template.segments[at], Literal)]
        yield from zip(wildcards, names or (), strict=False)


def _name_after(template: PathTemplate, index: int, variable: Variable | None) -> str:
    """Returns the name of a wildcard by the literal before it."""
    start = 0 if variable is None else variable.start
    before = template.segments[index - 1] if index > start else None
    if isinstance(before, Literal):
        return _NO_NAME.sub("_", before.text) + "Id"
    return "segment" if variable is None else "_".join(variable.field_path) + "Id"


def _untaken(name: str, taken: set[str]) -> str:
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}{number}"
    taken.add(found)
    return found
