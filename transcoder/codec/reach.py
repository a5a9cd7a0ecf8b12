"""Tells if a type reaches one with a property, by the fields of its messages at any depth.

Rule 1: types nest without limit, so nothing here is recursive.
Rule 2: what is found out is kept, since the types of a large API reach each other.
"""

from collections.abc import Callable
from typing import Final

from google.protobuf.descriptor import Descriptor

from transcoder.codec import scalars, wellknown


class Reach:
    """Tells if types reach one with a property; asks each type for it about once."""

    def __init__(self, has: Callable[[Descriptor], bool]) -> None:
        self._has: Final = has
        self._known: dict[Descriptor, bool] = {}

    def __call__(self, descriptor: Descriptor) -> bool:
        """True if the type itself, or one that its messages may contain, has the property."""
        known = self._known.get(descriptor)
        return self._search(descriptor) if known is None else known

    def _search(self, descriptor: Descriptor) -> bool:
        came_from: dict[Descriptor, Descriptor | None] = {descriptor: None}
        waiting = [descriptor]
        while waiting:
            current = waiting.pop()
            known = self._known.get(current)
            if known or (known is None and self._has(current)):
                self._keep_way(current, came_from)
                return True
            if known is None:
                for field in current.fields:
                    if field.message_type is not None and field.message_type not in came_from:
                        came_from[field.message_type] = current
                        waiting.append(field.message_type)
        self._known.update(dict.fromkeys(came_from, False))
        return False

    def _keep_way(self, found: Descriptor, came_from: dict[Descriptor, Descriptor | None]) -> None:
        """Keeps that all types on the way to one with the property reach it."""
        current: Descriptor | None = found
        while current is not None:
            self._known[current] = True
            current = came_from[current]


def has_floats(descriptor: Descriptor) -> bool:
    """True if JSON of messages of this very type may have a float, for which -0 is not 0."""
    return (
        descriptor.full_name == wellknown.ANY
        or descriptor.is_extendable
        or any(field.cpp_type in scalars.FLOAT_CPPTYPES for field in descriptor.fields)
    )


def has_required(descriptor: Descriptor) -> bool:
    """True if messages of this very type may lack a required field."""
    return descriptor.is_extendable or any(field.is_required for field in descriptor.fields)
