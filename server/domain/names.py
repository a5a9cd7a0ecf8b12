"""Checks names of organisations and users, and folds them for comparison.

Also checks a user's language (BCP 47) and subject (OpenID Connect Core, section 2).
"""

import re
from typing import Final

NAME_MAX_CHARS: Final = 200
SUBJECT_MAX_CHARS: Final = 255
"""Max characters of a subject, as OpenID Connect Core, section 2, has it."""

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}")


def fold(name: str) -> str:
    """Returns the form by which unique names are compared; databases fold in different ways."""
    return name.lower()


def is_name(text: str) -> bool:
    return is_label(text) and bool(text.strip())


def is_label(text: str) -> bool:
    """True for printable text: no control characters, no lone surrogates; may be empty."""
    return len(text) <= NAME_MAX_CHARS and text.isprintable()


def is_language(text: str) -> bool:
    """True for an empty text or a well-formed language tag ("de", "pt-BR"), served or not."""
    return not text or _LANGUAGE.fullmatch(text) is not None


def is_subject(text: str) -> bool:
    """True for the `sub` of a JWT; may be empty."""
    return len(text) <= SUBJECT_MAX_CHARS and text.isprintable()
