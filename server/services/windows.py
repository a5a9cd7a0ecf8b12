"""Cuts lists of AdminService into pages, by the `offset` and the `limit` of a request.

Follows docs/api.md "Accounts".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from server.domain.refusals import invalid

LIMIT_MAX: Final = 1_000
"""Max entries that a request may ask for; without a limit it gets all."""

T = TypeVar("T")


class Windowed(Protocol):
    @property
    def offset(self) -> int: ...

    @property
    def limit(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Window:
    """Holds a part of a list.

    Attributes:
        limit: max entries; 0 for all that are left.
    """

    offset: int
    limit: int

    @property
    def end(self) -> int | None:
        """Returns the number of entries up to the end of the window; None without a limit."""
        return self.offset + self.limit if self.limit else None

    def of(self, entries: Sequence[T]) -> Sequence[T]:
        return entries[self.offset : self.end]


def window_of(request: Windowed) -> Window:
    """Returns the window of a request.

    Raises:
        Refusal: the limit is too large.
    """
    if request.limit > LIMIT_MAX:
        raise invalid("Errors.Query.LimitExceeded", "ADMIN-Lm4ex")
    return Window(request.offset, request.limit)
