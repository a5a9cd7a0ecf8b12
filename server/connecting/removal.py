"""Says what is taken out when a ZITADEL is disconnected: exactly what connects it. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass

from server.connecting.actions_api import Execution, There
from server.connecting.link import Link


@dataclass(frozen=True, slots=True)
class Removal:
    """Describes what is to be taken out, in the order in which it is done.

    Attributes:
        executions: as they then are.
        ids_there: of targets in ZITADEL that are to be deleted.
        id_here: of the target here; empty for none.
        lines: say it all, a line each.
    """

    executions: Sequence[Execution]
    ids_there: Sequence[str]
    id_here: str
    lines: Sequence[str]


def removal_of(link: Link, there: There) -> Removal:
    """Returns what is to be taken out; others' targets keep their order."""
    first = () if link.there is None else (link.there.id,)
    ids = (*first, *(target.id for target in link.surplus))
    executions = []
    lines = []
    for execution in there.executions:
        left = tuple(id for id in execution.target_ids if id not in ids)
        if left != execution.target_ids:
            executions.append(Execution(execution.condition, left))
            lines.append(f"take it out of {execution.named} in ZITADEL{_which_keeps(len(left))}")
    id_here = "" if link.here is None else link.here.id
    lines += [f"delete target {id} in ZITADEL" for id in ids]
    lines += [f"delete target {id_here} here"] if id_here else []
    return Removal(executions, ids, id_here, lines)


def _which_keeps(others: int) -> str:
    if not others:
        return ""
    return f", which keeps {others} {'other' if others == 1 else 'others'}"
