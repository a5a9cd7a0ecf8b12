"""Finds which target in ZITADEL calls which target here.

A target in ZITADEL is linked by the path of its endpoint, which has the id of the target here. One
whose id is no longer here, as after an import, is linked by the public URL. No I/O.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from actions.v1 import bridge_pb2 as pb
from server.connecting.actions_api import TargetThere, There
from server.connecting.errors import ConnectError


@dataclass(frozen=True, slots=True)
class Link:
    """Holds the two targets that belong together.

    Attributes:
        surplus: more targets in ZITADEL with the same path, which no execution calls: an
            interrupted run left them.
        doubles: more of them, which executions call.
    """

    here: pb.Target | None = None
    there: TargetThere | None = None
    surplus: tuple[TargetThere, ...] = ()
    doubles: tuple[TargetThere, ...] = ()


def link_of(name: str, here: Sequence[pb.Target], there: There, *, public_url: str = "") -> Link:
    """Returns the link with a ZITADEL.

    A target here that ZITADEL calls is preferred to one that has the name only. Targets here that
    the service's secret key does not open have no name, and are passed over.

    Args:
        name: of the target that `connect` makes here.
        here: all targets here.
        there: what the ZITADEL has.
        public_url: of this service; empty if it is not known.

    Raises:
        ConnectError: several targets here are linked, and none or all of them have the name.
    """
    opened = [target for target in here if target.name]
    callers = {
        target.id: [each for each in there.targets if calls(each, target.id)] for target in opened
    }
    named = [target for target in opened if target.name == name]
    linked = [target for target in opened if callers[target.id]]
    both = [target for target in linked if target.name == name]
    chosen = both or linked or named[:1]
    if len(chosen) > 1:
        ids = ", ".join(target.id for target in chosen)
        raise ConnectError(
            f"ZITADEL calls {len(chosen)} targets here, {ids}, expected one: delete the others"
            " by `bridge target delete`, here, and in ZITADEL"
        )
    ours = chosen[0] if chosen else None
    theirs = callers[ours.id] if ours is not None else []
    theirs = theirs or _stale(there.targets, public_url, [target.id for target in opened])
    used = {id for execution in there.executions for id in execution.target_ids}
    found = sorted(theirs, key=lambda target: target.id not in used)
    return Link(
        here=ours,
        there=found[0] if found else None,
        surplus=tuple(target for target in found[1:] if target.id not in used),
        doubles=tuple(target for target in found[1:] if target.id in used),
    )


def _stale(
    targets: Sequence[TargetThere], public_url: str, ids: Sequence[str]
) -> list[TargetThere]:
    """Returns targets that call this service at a path that none of these targets has."""
    return [
        target
        for target in targets
        if public_url
        and target.endpoint.startswith(f"{public_url}/targets/")
        and not any(calls(target, id) for id in ids)
    ]


def calls(target: TargetThere, target_id: str) -> bool:
    """True if a target in ZITADEL has the path of a target here."""
    return urlsplit(target.endpoint).path.rstrip("/").endswith(f"/targets/{target_id}")
