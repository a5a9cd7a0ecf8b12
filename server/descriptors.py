"""How many files this process may have open: connections of all doors, the store, scripts."""

import resource
from typing import Final

FILES_MAX: Final = 8192
"""4,000 connections over HTTP, those over gRPC, and all else."""


def raise_limit() -> None:
    """Raises the soft limit of this process to `FILES_MAX`, or as far as the hard limit lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= FILES_MAX:
        return
    allowed = FILES_MAX if hard == resource.RLIM_INFINITY else min(FILES_MAX, hard)
    if allowed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
