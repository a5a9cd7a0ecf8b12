"""Reads the token of another service from a file."""

from pathlib import Path

from server.cli.failures import Failed


def token_in(file: Path) -> str:
    """Returns the token in a file.

    Raises:
        Failed: the file has none.
        OSError: the file cannot be read.
    """
    token = file.read_text("ascii", errors="replace").strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise Failed(f"{file}: expected a token, one line of printable ASCII characters")
    return token
