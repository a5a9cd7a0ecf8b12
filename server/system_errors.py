"""Why the system refused, in its own words and no library's."""

import os


def reason(error: OSError) -> str:
    """The text of the error's number; a resolver's, which is negative, has its own."""
    number = error.errno or 0
    return os.strerror(number) if number > 0 else error.strerror or type(error).__name__
