"""Checks names and values of secrets of scripts, which are sealed values of one purpose."""

import re
from typing import Final

from server.domain.refusals import invalid
from server.domain.sealed import Place

PURPOSE: Final = "secret"
VALUE_MAX_BYTES: Final = 16 << 10
SECRETS_MAX: Final = 100
"""Max secrets of an organisation."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


def place_of(org_id: str, name: str) -> Place:
    """Returns the place of a secret.

    Raises:
        Refusal: the name is invalid.
    """
    if _NAME.fullmatch(name) is None:
        raise invalid("Errors.Secret.NameInvalid", "COMMAND-Sn2iv")
    return Place(org_id, PURPOSE, name)


def octets_of(value: str) -> bytes:
    """Returns a value in UTF-8.

    Raises:
        Refusal: it is empty or too long; the text has its length and nothing of it.
    """
    octets = value.encode()
    if not 1 <= len(octets) <= VALUE_MAX_BYTES:
        values = {"most": str(VALUE_MAX_BYTES), "length": str(len(octets))}
        raise invalid("Errors.Secret.ValueInvalid", "COMMAND-Sv3iv", values=values)
    return octets
