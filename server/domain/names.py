"""What may be the name of an organisation or a user, and when two names are the same.

And what else is said of a user: its language (BCP 47), its subject (OpenID Connect Core, 2).
"""

import re
from typing import Final

NAME_MAX_CHARS: Final = 200
SUBJECT_MAX_CHARS: Final = 255

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}")


def fold(name: str) -> str:
    """What unique names are compared by; here and not in a database, since databases differ."""
    return name.lower()


def is_name(text: str) -> bool:
    return is_label(text) and bool(text.strip())


def is_label(text: str) -> bool:
    """Printable, so free of control characters and lone surrogates; may be empty."""
    return len(text) <= NAME_MAX_CHARS and text.isprintable()


def is_language(text: str) -> bool:
    """A language tag by its form ("de", "pt-BR"), with texts in it or without; or empty."""
    return not text or _LANGUAGE.fullmatch(text) is not None


def is_subject(text: str) -> bool:
    """What an issuer may call a user, in the `sub` of its tokens; may be empty."""
    return len(text) <= SUBJECT_MAX_CHARS and text.isprintable()
