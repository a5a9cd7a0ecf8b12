"""Returns the system's text of an OSError: texts of libraries reach no caller."""

import contextlib
import os
from collections.abc import Iterator


def reason(error: OSError) -> str:
    """Returns the text of the error's number; for a resolver's, which is negative, its own text."""
    number = error.errno or 0
    return os.strerror(number) if number > 0 else error.strerror or type(error).__name__


@contextlib.contextmanager
def naming_listener(address: str, set_by: str) -> Iterator[None]:
    """Names an address and its setting in an OSError of the block."""
    try:
        yield
    except OSError as error:
        raise OSError(f"cannot listen on {address} ({set_by}): {reason(error)}") from error
