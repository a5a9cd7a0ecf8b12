"""Decisions about machine keys."""

from collections.abc import Callable
from typing import Any

from server.domain import machine_key
from server.domain.events import Event
from server.domain.machine_key import KeyKind, MachineKey
from server.domain.org import Org
from server.domain.user import User
from tests.support.events import refusal_of
from tests.support.tables import by_outcome, cases

ORG = Org("o", "Acme", 1, 10, 10, 1)
USER = User("u", "o", "Ada", "", "", 1, 10, 10, 2)
KEY = MachineKey("k", "o", "u", "json", b"public", None, 1, 10, 10, 3)


def made(user: User | None = USER, **changed: Any) -> tuple[User, Event]:
    given = {"org": ORG, "kind": KeyKind.JSON, "verifier": b"\x01\xff", "expires_at": None}
    return machine_key.create(user, **{**given, "now": 500, **changed})


@by_outcome(
    "decide, refusal",
    {
        "NOT_FOUND Errors.User.NotFound COMMAND-Ku3nf": {
            "absent user, before past expiry": lambda: made(None, expires_at=1),
            "user of no organisation any more": lambda: made(org=None, expires_at=1),
        },
        "INVALID_ARGUMENT Errors.Key.ExpiryPast COMMAND-Ke7ps": {
            "expires now": lambda: made(expires_at=500)
        },
        "NOT_FOUND Errors.Key.NotFound COMMAND-Kr9nf": {
            "none to delete": lambda: machine_key.remove(None)
        },
    },
)
def test_a_command_is_refused(decide: Callable[[], object], refusal: str) -> None:
    assert refusal_of(decide) == refusal


@cases(
    "decided, type_, payload",
    {
        "a pair": (
            made(),
            "machine_key.added",
            {"userId": "u", "kind": "json", "verifier": "01ff"},
        ),
        "a secret that expires": (
            made(kind=KeyKind.CLIENT_SECRET, expires_at=501),
            "machine_key.added",
            {"userId": "u", "kind": "client_secret", "verifier": "01ff", "expiresAt": 501},
        ),
        "deleted": (machine_key.remove(KEY), "machine_key.removed", {}),
    },
)
def test_a_command_is_one_event(
    decided: tuple[User | MachineKey, Event], type_: str, payload: dict[str, object]
) -> None:
    assert (decided[1].type, decided[1].payload) == (type_, payload)
