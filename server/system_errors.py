"""Returns the system's text of an OSError: texts of libraries reach no caller."""

import os


def reason(error: OSError) -> str:
    """Returns the text of the error's number; for a resolver's, which is negative, its own text."""
    number = error.errno or 0
    return os.strerror(number) if number > 0 else error.strerror or type(error).__name__
