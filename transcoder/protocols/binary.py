"""Reads messages in protobuf's binary format."""

from google.protobuf.message import DecodeError, Message

from transcoder.errors import malformed


def parsed(request_type: type[Message], data: bytes, *, named: str = "") -> Message:
    """Returns the message of its bytes.

    Args:
        request_type: its type.
        data: the bytes.
        named: begins the error's text: "body: ".

    Raises:
        TranscodeError: INVALID_ARGUMENT, they are no such message.
    """
    message = request_type()
    try:
        request_type.ParseFromString(message, data)  # of the class: a field may have this name
    except DecodeError:
        name = request_type.DESCRIPTOR.full_name
        raise malformed(f"{named}expected a {name} in protobuf's binary format") from None
    return message
