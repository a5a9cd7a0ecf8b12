"""Declares the error of the command line."""

from transcoder.errors import SchemaError


class MisusedError(SchemaError):
    """An argument does not fit; the text names it, what is expected and what it got."""
