"""Names what ends a command that connects."""


class ConnectError(Exception):
    """One of the sides refuses, or cannot be asked; the text says which and what to do."""
