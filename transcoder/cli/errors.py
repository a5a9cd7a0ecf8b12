"""Declares the error of the command line."""


class MisusedError(Exception):
    """An argument does not fit; the text names it, what is expected and what it got."""
