"""Finds the class of a message type, and the type of a map's entries; names what reads into one."""

from collections.abc import Callable
from typing import Any, Protocol

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.reflection import GeneratedProtocolMessageType

MessageReader = Callable[[Any, object, int], None]
"""Sets fields of a new message: the message, JSON value, levels of messages left; raises Fault."""


class TypePool(Protocol):
    """Finds types by name, as a DescriptorPool does."""

    def FindMessageTypeByName(self, full_name: str) -> Descriptor:  # noqa: N802
        """Returns a type; raises KeyError if it is unknown."""
        ...


def map_entry(field: FieldDescriptor) -> Descriptor | None:
    """Returns the message of a map's entries, with fields `key` and `value`; None if no map."""
    entry = field.message_type
    return entry if entry is not None and entry.GetOptions().map_entry else None


def message_class(descriptor: Descriptor) -> type[Message]:
    """Returns the class of a type; makes it if there is none yet.

    `message_factory.GetMessageClass` would make the classes of all types that the type reaches, by
    recursion: it fails for a chain of some 500 types. protobuf makes them when they are needed.
    """
    # The stub does not say that this metaclass makes classes of messages.
    return GeneratedProtocolMessageType(  # type: ignore[return-value]
        descriptor.name, (Message,), {"DESCRIPTOR": descriptor, "__module__": None}
    )
