"""Checks that the packages of the extra `otel` are installed; imports none of the service's own."""

from importlib import import_module
from typing import Final

_NEEDED: Final = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http")

MISSING: Final = (
    "--traces-endpoint, ACTIONS_TRACES_ENDPOINT: expected the packages of the extra otel, "
    "got none; install them: pip install 'actions-service[otel]'"
)


class MissingExtra(ImportError):
    """A package of the extra is missing; the text names the command that installs it."""


def require_extra() -> None:
    """Imports what traces need.

    Raises:
        MissingExtra: a package is missing.
    """
    try:
        for name in _NEEDED:
            import_module(name)
    except ImportError as error:
        raise MissingExtra(MISSING) from error
