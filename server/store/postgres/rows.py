"""Makes states of rows as asyncpg types them, and says which type a column has.

Ids are text; texts that people write are bytea (0001_events_and_state.sql says why).
"""

from collections.abc import Mapping
from typing import Final

from server.domain.action import Action, ActionState
from server.domain.flow import ActionsByTrigger, Flow
from server.domain.machine_key import MachineKey
from server.domain.org import Member, Org
from server.domain.sealed import SealedValue
from server.domain.user import Token, User
from server.store.forms import AS_IS, COMMON, Form, decoder
from server.triggers import FlowType

FORMS: Final[Mapping[object, Form]] = {
    **COMMON,
    str: Form(bytes.decode, str.encode),
    bool: AS_IS,
}
"""The stored form of each type of field."""

_SQL_TYPES: Final[Mapping[object, str]] = {
    int: "bigint",
    int | None: "bigint",
    bytes: "bytea",
    str: "bytea",
    bool: "boolean",
    ActionState: "bigint",
    FlowType: "bigint",
    tuple[str, ...]: "text",
    ActionsByTrigger: "text",
}


NUL: Final = "\0"
_NO_ID: Final = "\N{REPLACEMENT CHARACTER}"


def form_of(name: str, type_: object) -> Form | None:
    return AS_IS if is_id(name) else FORMS.get(type_)


def sql_type(name: str, type_: object) -> str:
    """Returns the type of the column of a field."""
    return "text" if is_id(name) else _SQL_TYPES[type_]


def findable(id: str) -> str:
    """Returns an id that can be looked up; PostgreSQL refuses NUL characters, which no id has."""
    return id.replace(NUL, _NO_ID)


def is_id(name: str) -> bool:
    """True if the field or column has ids."""
    return name == "id" or name.endswith("_id")


action: Final = decoder(Action, form_of, table="actions")
flow: Final = decoder(Flow, form_of, table="flows")
org: Final = decoder(Org, form_of, table="orgs")
member: Final = decoder(Member, form_of, table="members")
user: Final = decoder(User, form_of, table="users")
token: Final = decoder(Token, form_of, table="tokens")
machine_key: Final = decoder(MachineKey, form_of, table="machine_keys")
sealed: Final = decoder(SealedValue, form_of, table="sealed_values")
