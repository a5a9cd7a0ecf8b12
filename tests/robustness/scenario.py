"""A scenario: what is done to a real server, the figures asked, the figures reached."""

from collections.abc import Callable, Iterator, Sequence
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


def none_wrong(what: str, wrong: Sequence[str], *, is_enough: bool = True) -> Outcome:
    """Returns the figure of answers that were wrong: none, of enough answers."""
    reached = f"{len(wrong)}{': ' if wrong else ''}{''.join(wrong[:1])}"
    return Outcome(what, "0", reached, not wrong and is_enough)


def at_most(what: str, reached: float, most: float, unit: str) -> Outcome:
    """Returns the figure of a measure that has a limit, in a unit as it is printed."""
    return Outcome(what, f"≤ {most:g} {unit}", f"{reached:.1f} {unit}", reached <= most)


def ended(what: str, status: int, seconds: float, *, most_s: float) -> Outcome:
    """Returns the figure of a service that was to end with 0, and in time."""
    is_reached = status == 0 and seconds <= most_s
    asked, reached = f"exit 0, ≤ {most_s:g} s", f"exit {status}, {seconds:.1f} s"
    return Outcome(what, asked, reached, is_reached)


Run: TypeAlias = Callable[[Path], Iterator[Outcome]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """By its number in docs/robustness.md.

    Attributes:
        run: given an empty folder; yields each figure as soon as it is known.
        is_asked_for: True if it runs only when `--only` names it, as it takes long.
    """

    number: str
    title: str
    run: Run
    is_asked_for: bool = False
