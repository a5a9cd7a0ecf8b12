"""Bounds the memory of the bodies of all connections, while they are received and read.

Rule: large bodies leave a part of it to small ones, so that a few callers who send much cannot
refuse all others.
"""

from types import TracebackType

from transcoder.errors import exhausted
from transcoder.options import large_share


class Ceiling:
    """Counts what is held.

    Attributes:
        held_bytes: of all bodies together.
    """

    def __init__(self, *, max_bytes: int, small_bytes: int) -> None:
        """Begins with nothing held.

        Args:
            max_bytes: of all bodies together.
            small_bytes: of a body that may take from the reserved part.
        """
        self.held_bytes = 0
        self._max_bytes = max_bytes
        self._large_max_bytes = large_share(max_bytes)
        self._small_bytes = small_bytes

    def may_hold(self, size: int, more: int) -> bool:
        """True if there is room for more bytes of a body that is `size` long with them."""
        limit = self._max_bytes if size <= self._small_bytes else self._large_max_bytes
        return self.held_bytes + more <= limit


class Held:
    """Bytes that one body holds; given back at the end of its block."""

    __slots__ = ("_ceiling", "_size")

    def __init__(self, ceiling: Ceiling) -> None:
        self._ceiling = ceiling
        self._size = 0

    def take(self, count: int) -> None:
        """Holds so many bytes more.

        Raises:
            TranscodeError: RESOURCE_EXHAUSTED, the bodies of all connections hold too much.
        """
        size = self._size + count
        if not self._ceiling.may_hold(size, count):
            raise exhausted("too many request bodies at once, try again later")
        self._ceiling.held_bytes += count
        self._size = size

    def __enter__(self) -> "Held":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._ceiling.held_bytes -= self._size
