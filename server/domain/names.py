"""Checks names of organisations and users, and folds them to compare them.

Checks a user's language (BCP 47) and subject (OpenID Connect Core, section 2), too.
"""

import re
from typing import Final

NAME_MAX_CHARS: Final = 200
SUBJECT_MAX_CHARS: Final = 255

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}")


def fold(name: str) -> str:
    """Returns what unique names are compared by; computed here, as databases fold differently."""
    return name.lower()


def is_name(text: str) -> bool:
    return is_label(text) and bool(text.strip())


def is_label(text: str) -> bool:
    """True if printable, so without control characters and lone surrogates; may be empty."""
    return len(text) <= NAME_MAX_CHARS and text.isprintable()


def is_language(text: str) -> bool:
    """True for the form of a language tag ("de", "pt-BR"), known here or not; or empty."""
    return not text or _LANGUAGE.fullmatch(text) is not None


def is_subject(text: str) -> bool:
    """True for the `sub` of a JWT; may be empty."""
    return len(text) <= SUBJECT_MAX_CHARS and text.isprintable()
