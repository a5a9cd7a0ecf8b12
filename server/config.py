"""What the service may be told, and from where: flags over environment over a TOML file.

A setting has one name: `--grpc-listen`, `ACTIONS_GRPC_LISTEN`, and `grpc-listen` (or `grpc_listen`)
in the file. What holds is checked once, here. A wrong value is one line: where it came from, what
was expected, what came.

Rule: the file is read and nothing else is; nothing listens, nothing is made.
"""

import contextlib
import ipaddress
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

from server import config_values
from server.config_values import Unfit
from server.toml_form import toml
from server.urls import may_be_fetched

SOCKET_PATH_MAX_BYTES: Final = 107
SHOWN_CHARS: Final = 40
FILE_MAX_BYTES: Final = 1 << 20

OWNER_TOKEN_FILE: Final = "owner.token"  # noqa: S105  the name of a file
"""In the data folder: the token that the first start made, mode 0600."""

LogFormat: TypeAlias = Literal["text", "json"]


class ConfigError(Exception):
    """A setting that cannot be used; the text is one line, for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings, with their defaults.

    Attributes:
        listen: "host:port" of the JSON and gRPC-Web doors, where port 0 takes a free one; or
            "unix:path".
        grpc_listen: the same, of the gRPC door.
        data_dir: the folder that holds everything; relative to the working folder.
        jwt_issuer: whose JWTs are access tokens, as their `iss` says it; empty for nobody's.
        jwt_audience: of which a JWT names one in its `aud`.
        jwt_jwks_url: where the issuer's keys are; empty where discovery says it.
        cors_origins: as browsers send them ("https://app.example"), or "*" alone for any.
        access_log: whether each call, and each run, is logged.
        script_workers: processes that run scripts, at most; 0 for four for each core.
        script_queue: runs that wait for one of them, half of them of one organisation.
        script_fetch_deny: addresses, networks and host names that scripts may not reach, beside
            those that are not public.
        script_fetch_allow: those that they may reach all the same.
        script_dns_servers: name servers that look up what scripts fetch from, as "address:port";
            the system's if there are none.
        runs_keep_days: how long a run is in the log of runs.
        runs_max_mib: how much is kept there of all runs; 0 for no log.
    """

    listen: str = "127.0.0.1:8080"
    grpc_listen: str = "127.0.0.1:50051"
    data_dir: Path = Path("data")
    jwt_issuer: str = ""
    jwt_audience: tuple[str, ...] = ()
    jwt_jwks_url: str = ""
    cors_origins: tuple[str, ...] = ()
    log_format: LogFormat = "text"
    access_log: bool = True
    script_workers: int = 0
    script_queue: int = 512
    script_fetch_deny: tuple[str, ...] = ()
    script_fetch_allow: tuple[str, ...] = ()
    script_dns_servers: tuple[str, ...] = ()
    runs_keep_days: int = 7
    runs_max_mib: int = 64


class Loaded(NamedTuple):
    """The settings, and by name where each came from ("--listen", "default")."""

    config: Config
    origins: Mapping[str, str]


class Address(NamedTuple):
    """A host and a port; an IPv6 host is without its brackets."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read "host:port" or "[::1]:port".

        Raises:
            ValueError: it is neither.
        """
        match = _ADDRESS.fullmatch(text)
        if match is None or int(match["port"]) > 65535:
            raise ValueError(text)
        host = match["v6"] or match["host"]
        if match["v6"] or not host.strip("0123456789."):
            ipaddress.ip_address(host)
        return cls(host, int(match["port"]))

    @property
    def reachable(self) -> "Address":
        """Where a client on this machine finds who listens here."""
        return self._replace(host=_LOOPBACK.get(self.host, self.host))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class SocketPath(NamedTuple):
    """The path of a unix socket."""

    path: str

    @classmethod
    def parse(cls, text: str) -> "SocketPath":
        """Read "unix:path" or "unix:///path".

        Raises:
            ValueError: it is neither, or the path is longer than a socket's may be.
        """
        match = _SOCKET.fullmatch(text)
        if match is None or len(os.fsencode(match["path"])) > SOCKET_PATH_MAX_BYTES:
            raise ValueError(text)
        return cls(match["path"])

    @property
    def reachable(self) -> "SocketPath":
        """Where a client on this machine finds who listens here."""
        return self

    def __str__(self) -> str:
        return f"unix:{self.path}"


def listening(text: str) -> Address | SocketPath:
    """Read what a door listens on.

    Raises:
        ValueError: it is neither an address nor the path of a unix socket.
    """
    return SocketPath.parse(text) if text.startswith("unix:") else Address.parse(text)


def load(flags: Mapping[str, object], environ: Mapping[str, str]) -> Loaded:
    """Put the settings together.

    Args:
        flags: by name as in `Config`, and `config`, the file; None where a flag is not given.
        environ: the environment; of it, only the variables of settings are read.

    Raises:
        ConfigError: a value that is wrong, wherever it came from.
    """
    given: dict[str, _Given] = {}
    for name in (*_READ, "config"):
        variable = f"ACTIONS_{name.upper()}"
        if (flag := flags.get(name)) is not None:
            given[name] = _Given(flag, f"--{name.replace('_', '-')}")
        elif variable in environ:
            given[name] = _Given(environ[variable], variable)
    if (file := given.pop("config", None)) is not None:
        given = _from_file(file) | given
    values = {name: _checked(given[name], _READ[name]) for name in given}
    config = Config(**values)  # type: ignore[arg-type]  # each was read by its field's reader
    origins = {name: given[name].origin if name in given else "default" for name in _READ}
    _check_jwt(config, origins)
    if config.listen == config.grpc_listen and not config.listen.endswith(_FREE_PORT):
        raise ConfigError(
            f"{origins['grpc_listen']}: expected another address than that of listen, "
            f"got {_shown(config.grpc_listen)}"
        )
    return Loaded(config, origins)


def _check_jwt(config: Config, origins: Mapping[str, str]) -> None:
    issuer = config.jwt_issuer
    if not issuer:
        for name in ("jwt_audience", "jwt_jwks_url"):
            if getattr(config, name):
                raise ConfigError(f"{origins[name]}: expected jwt_issuer to be given, too")
    elif not config.jwt_audience:
        raise ConfigError(f"{origins['jwt_issuer']}: expected jwt_audience to be given, too")
    elif not config.jwt_jwks_url and not may_be_fetched(issuer):
        expected = f"{config_values.FETCHED}, as jwt_jwks_url is not given"
        raise ConfigError(f"{origins['jwt_issuer']}: expected {expected}, got {_shown(issuer)}")


def as_toml(loaded: Loaded) -> str:
    """The settings as a configuration file, each with where it came from."""
    return "\n".join(
        f"{name} = {toml(getattr(loaded.config, name))}  # {loaded.origins[name]}" for name in _READ
    )


class _Given(NamedTuple):
    value: object
    origin: str


_ADDRESS: Final = re.compile(
    r"(?:(?P<host>(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?)|\[(?P<v6>[0-9A-Fa-f:.]+)\]):(?P<port>[0-9]{1,5})"
)
_FREE_PORT: Final = ":0"
_SOCKET: Final = re.compile(r"unix:(?://(?=/))?(?P<path>(?!//)[^\0]+)")
_LOOPBACK: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  not bound, replaced


def _address(value: object) -> str:
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return str(listening(value))
    raise Unfit("host:port, [IPv6]:port or unix:path, with a port from 0 to 65535")


def _log_format(value: object) -> LogFormat:
    if value == "text":
        return "text"
    if value == "json":
        return "json"
    raise Unfit("text or json")


_READ: Final[Mapping[str, Callable[[object], object]]] = {
    "listen": _address,
    "grpc_listen": _address,
    "data_dir": config_values.folder,
    "jwt_issuer": config_values.line,
    "jwt_audience": config_values.lines,
    "jwt_jwks_url": config_values.url,
    "cors_origins": config_values.cors_origins,
    "log_format": _log_format,
    "access_log": config_values.switch,
    "script_workers": config_values.number(0, 256),
    "script_queue": config_values.number(1, 100_000),
    "script_fetch_deny": config_values.hosts,
    "script_fetch_allow": config_values.hosts,
    "script_dns_servers": config_values.name_servers,
    "runs_keep_days": config_values.number(1, 3650),
    "runs_max_mib": config_values.number(0, 1 << 20),
}

VARIABLES: Final = (*(f"ACTIONS_{name.upper()}" for name in (*_READ, "config")), "ACTIONS_TOKEN")
"""Names of all variables that are read; the last one is the token of `call`."""


def _checked(given: _Given, read: Callable[[object], object]) -> object:
    try:
        return read(given.value)
    except Unfit as unfit:
        raise ConfigError(f"{given.origin}: expected {unfit}, got {_shown(given.value)}") from None


def _from_file(file: _Given) -> dict[str, _Given]:
    values: dict[str, _Given] = {}
    for key, value in _parsed(file).items():
        name = key.replace("-", "_")
        if name not in _READ:
            known = ", ".join(_READ)
            raise ConfigError(f"{file.value}: unknown key {_shown(key)}, expected one of {known}")
        if name in values:
            raise ConfigError(f"{file.value}: {name} is given twice, with - and with _")
        values[name] = _Given(value, f"{file.value}: {key}")
    return values


def _parsed(file: _Given) -> Mapping[str, object]:
    try:
        with Path(str(file.value)).open("rb") as opened:
            content = opened.read(FILE_MAX_BYTES + 1)
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "not a path"
        raise ConfigError(f"{file.origin}: cannot read {_shown(file.value)}: {why}") from exc
    if len(content) > FILE_MAX_BYTES:
        raise ConfigError(f"{file.value}: expected at most {FILE_MAX_BYTES} bytes of TOML")
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as exc:
        raise ConfigError(
            f"{file.value}: expected UTF-8, got {content[exc.start : exc.end]!r}"
        ) from exc
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{file.value}: expected TOML: {exc}") from exc
    except ValueError as exc:
        # What Python refuses to read in decimal, which is no error to tomllib.
        raise ConfigError(f"{file.value}: expected TOML, got a number of too many digits") from exc
    except RecursionError as exc:
        raise ConfigError(f"{file.value}: expected TOML, got values nested too deep") from exc


def _shown(value: object) -> str:
    """A text in quotes, or what else a file has, as it has it."""
    text = value if isinstance(value, str) else toml(value)
    cut = text[:SHOWN_CHARS] + "…" if len(text) > SHOWN_CHARS else text
    return repr(cut) if isinstance(value, str) else cut
