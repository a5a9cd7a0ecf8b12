"""Bounds the memory of the bodies of all connections, while they are received and read.

Rule: a part of the memory is reserved for small bodies, so that a few callers with large bodies
cannot make all others fail.
"""

from types import TracebackType

from transcoder.errors import exhausted
from transcoder.options import large_share


class Ceiling:
    """Counts the bytes of all bodies.

    Attributes:
        held_bytes: the bytes of all bodies now.
    """

    def __init__(self, *, max_bytes: int, small_bytes: int) -> None:
        """Starts with no bytes.

        Args:
            max_bytes: max bytes of all bodies together.
            small_bytes: max bytes of a body that may use the reserved part.
        """
        self.held_bytes = 0
        self._max_bytes = max_bytes
        self._large_max_bytes = large_share(max_bytes)
        self._small_bytes = small_bytes

    def may_hold(self, size: int, more: int) -> bool:
        """True if a body may take `more` bytes, after which it has `size` bytes."""
        limit = self._max_bytes if size <= self._small_bytes else self._large_max_bytes
        return self.held_bytes + more <= limit


class Held:
    """The bytes of one body, counted until the end of its `with` block."""

    __slots__ = ("_ceiling", "_size")

    def __init__(self, ceiling: Ceiling) -> None:
        self._ceiling = ceiling
        self._size = 0

    def take(self, count: int) -> None:
        """Counts `count` bytes more.

        Raises:
            TranscodeError: RESOURCE_EXHAUSTED, the bodies of all connections are too large.
        """
        self.resize(self._size + count)

    def resize(self, size: int) -> None:
        """Counts `size` bytes instead of those counted so far.

        Raises:
            TranscodeError: RESOURCE_EXHAUSTED, the bodies of all connections are too large.
        """
        more = size - self._size
        if more > 0 and not self._ceiling.may_hold(size, more):
            raise exhausted("too many request bodies at once, try again later")
        self._ceiling.held_bytes += more
        self._size = size

    def __enter__(self) -> "Held":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._ceiling.held_bytes -= self._size
