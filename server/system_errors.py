"""Returns the system's text of an OSError, without that of a library."""

import os


def reason(error: OSError) -> str:
    """Returns the text of the error's number; a negative one is a resolver's and has its own."""
    number = error.errno or 0
    return os.strerror(number) if number > 0 else error.strerror or type(error).__name__
