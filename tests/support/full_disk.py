"""A disk without room, as a process finds it: no file may grow beyond a limit.

Follows getrlimit(2), RLIMIT_FSIZE: a write beyond it fails with EFBIG, as Python ignores SIGXFSZ.
"""

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def full_disk(limit_bytes: int = 0) -> Iterator[None]:
    """Has this process, and those that it starts meanwhile, write no file beyond the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def make_room(pid: int) -> None:
    """Lifts the limit of a process that was started on a full disk."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
