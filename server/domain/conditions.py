"""Decides if a write may go on, by the sequence of what it changes.

A caller names the sequences that it accepts: so it does not overwrite what it has not read.
Rule: a decision compares after it has found the object, and before all that depends on its state.
"""

from typing import Final, TypeAlias

from server.domain.refusals import aborted

Condition: TypeAlias = frozenset[int] | None
"""The sequences that a caller accepts; None accepts each."""

ANY_SEQUENCE: Final[Condition] = None

_SHOWN_MAX: Final = 3
"""Max accepted sequences in a refusal."""


def require_sequence(sequence: int, accepted: Condition) -> None:
    """Checks that the caller accepts the sequence.

    Raises:
        Refusal: it does not.
    """
    if accepted is None or sequence in accepted:
        return
    shown = ", ".join(map(str, sorted(accepted)[:_SHOWN_MAX]))
    values = {"sequence": str(sequence), "expected": shown}
    raise aborted("Errors.Sequence.Other", "COMMAND-Sq8ch", values=values)
