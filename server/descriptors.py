"""Divides the file descriptors of this process between connections, scripts and the store.

Follows getrlimit(2). The store and scripts have a fixed share; connections get the rest, each
protocol its own part. So no part of the service uses up the descriptors of another.
"""

import resource
from typing import Final, NamedTuple

FILES_MAX: Final = 8192
"""Wanted limit: 4,000 connections over HTTP, 1,000 over gRPC, and the rest."""

FILES_MIN: Final = 256
"""Min files; with fewer the service does not start."""

GRPC_MAX: Final = 1000
"""Max connections over gRPC."""

_OWN_FILES: Final = 96
"""Files of the store, the admin socket and its callers, the log, the loop, grpc; 30 when idle."""
_FETCH_FILES: Final = 128
"""Files of scripts' connections and look-ups of names."""
_FILES_PER_WORKER: Final = 3
"""Files of a worker process: its socket, its statm, one more while it starts."""
_SCRIPTS_SHARE: Final = 3
"""At most one file in three is for scripts; if they need more, runs are refused."""
_FILES_PER_GRPC: Final = 3
"""Files for each connection over gRPC: one to its own port, and two of a pipe from the other port,
whose client counts as a connection over HTTP."""
_GRPC_SHARE: Final = 6
"""One file in six is for connections over gRPC, and two for pipes, up to `GRPC_MAX` of both."""


class Shares(NamedTuple):
    """Connections that each port may have open, `grpc` also those piped from the one of HTTP."""

    http: int
    grpc: int


def raise_limit() -> int:
    """Raises the soft limit of this process to `FILES_MAX`, or to the hard limit if that is less.

    Returns:
        How many files may be open now.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return FILES_MAX
    if soft >= FILES_MAX:
        return soft
    allowed = FILES_MAX if hard == resource.RLIM_INFINITY else min(FILES_MAX, hard)
    if allowed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed


def shares(files: int, *, http_max: int, workers: int) -> Shares:
    """Divides the files that may be open.

    Args:
        files: as `raise_limit` returns it.
        http_max: connections over HTTP; fewer if files are few.
        workers: processes that run scripts, at most.

    Raises:
        OSError: the files are too few to serve.
    """
    if files < FILES_MIN:
        raise OSError(
            f"this process may have {files} files open, expected at least {FILES_MIN}: "
            f"raise the limit (ulimit -n {FILES_MAX}, or LimitNOFILE={FILES_MAX} in systemd)"
        )
    scripts = min(_FETCH_FILES + _FILES_PER_WORKER * workers, files // _SCRIPTS_SHARE)
    left = files - _OWN_FILES - scripts
    grpc = min(left // _GRPC_SHARE, GRPC_MAX)
    return Shares(http=min(left - _FILES_PER_GRPC * grpc, http_max), grpc=grpc)
