"""Describes how both sides of a connection are to be. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Describes how both sides are to be.

    Attributes:
        name: of a target that is made here: which ZITADEL calls it.
        name_there: of a target that is made in ZITADEL: which service it calls.
        public_url: of this service, for ZITADEL; without "/" at its end.
        functions: that call the target; none for all that both sides have.
        has_login_v2: True has it called at methods and events, too, in place of flows 1 and 3.
        orgs: organisations here by those there; bound, or unbound if empty.
        timeout_ms: None keeps what is there.
        ignores_failures: None keeps what is there.
    """

    name: str
    name_there: str
    public_url: str
    functions: tuple[str, ...] = ()
    has_login_v2: bool = False
    orgs: Mapping[str, str] = field(default_factory=dict)
    timeout_ms: int | None = None
    ignores_failures: bool | None = None
