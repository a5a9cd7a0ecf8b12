"""A scenario: what is done to a real server, the figures asked, the figures reached."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Outcome:
    """One figure."""

    what: str
    asked: str
    reached: str
    is_reached: bool


Run: TypeAlias = Callable[[Path], Iterator[Outcome]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """By its number in docs/robustness.md.

    Attributes:
        run: given an empty folder; yields each figure as soon as it is known.
    """

    number: str
    title: str
    run: Run
