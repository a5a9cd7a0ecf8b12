from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Reading(_message.Message):
    __slots__ = ("number", "celsius", "fahrenheit")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    CELSIUS_FIELD_NUMBER: _ClassVar[int]
    FAHRENHEIT_FIELD_NUMBER: _ClassVar[int]
    number: int
    celsius: float
    fahrenheit: float
    def __init__(self, number: _Optional[int] = ..., celsius: _Optional[float] = ..., fahrenheit: _Optional[float] = ...) -> None: ...

class WatchReadingsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
