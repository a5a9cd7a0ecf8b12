"""What may be the name of an organisation or a user, and when two names are the same."""

from typing import Final

NAME_MAX_CHARS: Final = 200


def fold(name: str) -> str:
    """What unique names are compared by; here and not in a database, since databases differ."""
    return name.lower()


def is_name(text: str) -> bool:
    return is_label(text) and bool(text.strip())


def is_label(text: str) -> bool:
    """Printable, so free of control characters and lone surrogates; may be empty."""
    return len(text) <= NAME_MAX_CHARS and text.isprintable()
