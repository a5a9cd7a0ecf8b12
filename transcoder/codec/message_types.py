"""Finds the message types that a type reaches, without recursion, and their classes.

Rule: types nest without limit, so nothing here recurses by them.
"""

from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.protobuf.reflection import GeneratedProtocolMessageType


def reached(descriptor: Descriptor) -> Iterator[Descriptor]:
    """Yields the type itself, and each that a message of it may hold in a field."""
    seen = {descriptor}
    waiting = [descriptor]
    while waiting:
        current = waiting.pop()
        yield current
        for field in current.fields:
            if field.message_type is not None and field.message_type not in seen:
                seen.add(field.message_type)
                waiting.append(field.message_type)


def message_class(descriptor: Descriptor) -> type[Message]:
    """Returns the class of a type; makes it where there is none yet.

    `message_factory.GetMessageClass` makes the classes of all that the type reaches, within one
    another: it fails for a chain of some 500 types. protobuf makes those when they are needed.
    """
    # The stub does not say that what this metaclass makes is a class of messages.
    return GeneratedProtocolMessageType(  # type: ignore[return-value]
        descriptor.name, (Message,), {"DESCRIPTOR": descriptor, "__module__": None}
    )
