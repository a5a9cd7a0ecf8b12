"""Makes states of rows as sqlite3 types them."""

from collections.abc import Mapping
from typing import Final

from server.domain.action import Action
from server.domain.flow import Flow
from server.domain.machine_key import MachineKey
from server.domain.org import Member, Org
from server.domain.sealed import SealedValue
from server.domain.user import Token, User
from server.store.forms import AS_IS, COMMON, Form, decoder

FORMS: Final[Mapping[object, Form]] = {**COMMON, str: AS_IS, bool: Form(bool, int)}
"""The stored form of each type of field."""


def form_of(_name: str, type_: object) -> Form | None:
    return FORMS.get(type_)


action: Final = decoder(Action, form_of, table="actions")
flow: Final = decoder(Flow, form_of, table="flows")
org: Final = decoder(Org, form_of, table="orgs")
member: Final = decoder(Member, form_of, table="members")
user: Final = decoder(User, form_of, table="users")
token: Final = decoder(Token, form_of, table="tokens")
machine_key: Final = decoder(MachineKey, form_of, table="machine_keys")
sealed: Final = decoder(SealedValue, form_of, table="sealed_values")
