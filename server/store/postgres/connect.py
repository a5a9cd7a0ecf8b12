"""Connects to PostgreSQL, and turns every error of asyncpg into StorageError.

Rule: every wait has a deadline. Texts of the server do not reach the operator, as they may hold
values; its error codes do (postgresql.org/docs, "PostgreSQL Error Codes").
"""

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from server.store.errors import StorageError, StorageErrors

if TYPE_CHECKING:
    from asyncpg import Pool

Connection: TypeAlias = Any
"""An `asyncpg.Connection`, or one of a pool; asyncpg has no types."""

SCHEMES: Final = ("postgresql", "postgres")

CONNECT_MAX_S: Final = 5.0
"""Max seconds to connect; of several hosts, each."""

STATEMENT_MAX_S: Final = 10.0
"""Max seconds of a statement, and of a wait for a connection."""

LOCK_MAX_S: Final = 5.0
"""Max seconds to wait for another process that commits."""

READERS_MAX: Final = 8
"""Max connections for reads, beside the one that writes."""

ROOM_MAX_S: Final = 5.0
"""Max seconds to wait for a connection of ours, while the server has no room for another."""

_ROOM_EVERY_S: Final = 0.05
_IDLE_MAX_S: Final = 60.0
_APPLICATION: Final = "actions-service"
_POOLER: Final = "pgbouncer"
"""The parameter of the URL that says a pooler may give each transaction another connection."""

_HOST: Final = r"(\[[\da-fA-F:.%]+\]|[\w.-]*)(:\d{1,5})?"
_PLACE: Final = re.compile(rf"{_HOST}(,{_HOST})*(/[^/@]*)?")
"""Hosts and the name of a database; the rest of a password that is not encoded does not fit."""

_POOLED: Final = "a pooler is in front of it: add ?pgbouncer=true to its address"

_TEXTS: Final = {
    "08": "cannot be reached",
    "0A": "its version does not support what is needed",
    "22021": "an id has a NUL character",
    "23505": "a unique value is taken",
    "25006": "read-only, as a standby is",
    "26000": _POOLED,
    "28": "the user or the password is refused",
    "3D000": "there is no such database",
    "40": "another process changed the same rows",
    "42501": "permission denied",
    "42704": "a parameter of its address is unknown",
    "42P05": _POOLED,
    "42P": "its tables are not as expected",
    "53100": "the disk is full",
    "53200": "out of memory",
    "53300": "too many connections",
    "53": "out of resources",
    "55P03": "another process commits for too long",
    "57014": "did not answer in time",
    "57P03": "starting up or shutting down",
    "57": "shutting down",
    "XX": "damaged, or at fault",
}
"""Texts of error codes, or of their classes."""


class Server:
    """Names a database, and connects to it."""

    def __init__(self, url: str) -> None:
        """Reads a URL.

        Raises:
            StorageError: it is not one of PostgreSQL.
        """
        parts = _parsed(url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        is_pooled = query.pop(_POOLER, "") not in ("", "false")
        query.setdefault("target_session_attrs", "primary")
        hosts = parts.netloc.rpartition("@")[2]
        self.shown: Final = f"postgresql://{hosts}{parts.path}"
        self.errors: Final = StorageErrors(self.shown, text_of)
        self._options: Final[dict[str, Any]] = {
            "dsn": urlunsplit(("postgresql", *parts[1:3], urlencode(query), "")),
            "timeout": CONNECT_MAX_S,
            "command_timeout": STATEMENT_MAX_S,
            "statement_cache_size": 0 if is_pooled else 256,
            "server_settings": {"application_name": _APPLICATION},
        }

    async def connect(self, *, has_deadline: bool = True) -> Connection:
        """Opens a connection that can write; its statements have a deadline, or none.

        Raises:
            StorageError: there is none.
        """
        deadline = {} if has_deadline else {"command_timeout": None}
        with self.errors:
            return await asyncpg.connect(**self._options | deadline)

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Opens a connection, and closes it."""
        connection = await self.connect()
        try:
            yield connection
        finally:
            connection.terminate()

    def pool(self, *, connections_max: int) -> "Pool":
        """Returns a pool of connections; none is open before the first is needed."""
        return asyncpg.create_pool(
            **self._options,
            min_size=0,
            max_size=connections_max,
            max_inactive_connection_lifetime=_IDLE_MAX_S,
            connection_class=_Clean,
        )


async def acquired(pool: "Pool") -> Connection:
    """Takes a connection of a pool.

    While the server has no room for another, it is one of those that are open, which may be in use:
    so reads go on, if slower.
    """
    until = 0.0
    while True:
        try:
            return await pool.acquire(timeout=STATEMENT_MAX_S)
        except asyncpg.TooManyConnectionsError:
            now = asyncio.get_running_loop().time()
            until = until or now + ROOM_MAX_S
            if now > until:
                raise
        await asyncio.sleep(_ROOM_EVERY_S)


def _parsed(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        place = parts.netloc.rpartition("@")[2] + parts.path
    except ValueError:  # of a bracket, which may be a password's
        parts, place = urlsplit(""), ""
    is_encoded = _PLACE.fullmatch(place) and "@" not in parts.query and "#" not in url
    if parts.scheme in SCHEMES and is_encoded:
        return parts
    message = (
        "database: expected postgresql://user:password@host:port/name, got another form (it may "
        "hold a password, so it is not shown); write / as %2F, @ as %40, # as %23 and ? as %3F"
    )
    raise StorageError(message)


class _Clean(asyncpg.Connection):  # type: ignore[misc]
    """A connection of a pool, on which nothing is ever set."""

    def get_reset_query(self) -> str:
        # By default a statement each time that a connection is given back.
        return ""


def text_of(error: Exception) -> str:
    """Returns the text of an error, for the operator."""
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return "no host takes writes"
    code = getattr(error, "sqlstate", None)
    if isinstance(code, str):
        known = _TEXTS.get(code) or _TEXTS.get(code[:3]) or _TEXTS.get(code[:2])
        return f"{known} ({code})" if known else f"error {code}"
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return "did not answer in time"
    if isinstance(error, ssl.SSLError):  # one of them is a ValueError
        return "TLS fails, or its certificate is not trusted"
    if isinstance(error, asyncpg.ClientConfigurationError | ValueError | OverflowError):
        return "its address is wrong"
    if isinstance(error, FileNotFoundError | PermissionError):
        return "a file that its address names cannot be read"
    if type(error) is ConnectionError:  # asyncpg's, of a server that refuses TLS
        return "cannot be reached, or has no TLS"
    if isinstance(error, OSError | asyncpg.InterfaceError | asyncpg.InternalClientError):
        return "cannot be reached"
    return f"fault {type(error).__name__}"
