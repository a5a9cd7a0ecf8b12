"""Writes microseconds into google.protobuf.Timestamp and Duration.

Follows google/protobuf/timestamp.proto and google/protobuf/duration.proto. No I/O.
"""

from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

_US: Final = 10**6


def set_time(timestamp: Timestamp, at: int) -> None:
    """Sets microseconds since the epoch."""
    timestamp.seconds, microseconds = divmod(at, _US)
    timestamp.nanos = microseconds * 1000


def set_duration(duration: Duration, us: int) -> None:
    """Sets a length in microseconds."""
    duration.seconds, microseconds = divmod(us, _US)
    duration.nanos = microseconds * 1000
