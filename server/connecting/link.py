"""Finds which target in ZITADEL calls which target here.

A target in ZITADEL is linked by the path of its endpoint, which has the id of the target here. No
I/O.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from actions.v1 import bridge_pb2 as pb
from server.connecting.actions_api import TargetThere, There
from server.connecting.errors import ConnectError


@dataclass(frozen=True, slots=True)
class Link:
    """Holds the two targets that belong together, and what is left of interrupted runs.

    Attributes:
        surplus: more targets in ZITADEL with the same path, which no execution calls.
    """

    here: pb.Target | None = None
    there: TargetThere | None = None
    surplus: tuple[TargetThere, ...] = ()


def link_of(name: str, here: Sequence[pb.Target], there: There) -> Link:
    """Returns the link with a ZITADEL.

    A target here that ZITADEL calls is preferred to one that has the name only.

    Args:
        name: of the target that `connect` makes here.
        here: all targets here.
        there: what the ZITADEL has.

    Raises:
        ConnectError: several targets here are linked, and none or all of them have the name.
    """
    callers = {
        target.id: [each for each in there.targets if calls(each, target.id)] for target in here
    }
    named = [target for target in here if target.name == name]
    linked = [target for target in here if callers[target.id]]
    both = [target for target in linked if target.name == name]
    chosen = both or linked or named[:1]
    if not chosen:
        return Link()
    if len(chosen) > 1:
        ids = ", ".join(target.id for target in chosen)
        raise ConnectError(
            f"ZITADEL calls {len(chosen)} targets here, {ids}, expected one: delete the others"
            " by `bridge target delete`, here, and in ZITADEL"
        )
    used = {id for execution in there.executions for id in execution.target_ids}
    found = sorted(callers[chosen[0].id], key=lambda target: target.id not in used)
    surplus = tuple(target for target in found[1:] if target.id not in used)
    return Link(chosen[0], found[0] if found else None, surplus)


def calls(target: TargetThere, target_id: str) -> bool:
    """True if a target in ZITADEL has the path of a target here."""
    return urlsplit(target.endpoint).path.rstrip("/").endswith(f"/targets/{target_id}")
