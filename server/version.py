"""Reads the version of this service from its installed distribution."""

from importlib.metadata import PackageNotFoundError, version
from typing import Final

DISTRIBUTION: Final = "actions-service"


def installed_version() -> str | None:
    """Returns the version; None if the service runs from its folder without being installed."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return None
