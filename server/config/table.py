"""Declares the settings of the service, each once.

Flags, variables, keys of the TOML file, `--help` and docs/settings.md are made from this table.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.config import kinds
from server.config.kinds import NO_ADDRESS, LogFormat
from server.config.setting import Setting, setting, settings_of

OWNER_TOKEN_FILE: Final = "owner.token"  # noqa: S105  the name of a file
"""Name of the file in the data folder that has a token for commands; mode 0600."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Holds the settings, and declares their defaults."""

    listen: str = setting(
        "127.0.0.1:8080",
        kind=kinds.ADDRESS,
        meaning="Address of JSON, gRPC-Web and gRPC, or unix:PATH; port 0 takes a free port.",
    )
    grpc_listen: str = setting(
        "127.0.0.1:50051",
        kind=kinds.ADDRESS_OR_NONE,
        meaning="Address of gRPC alone, where a call costs less CPU, or unix:PATH; port 0 takes a "
        "free port. With none, gRPC is served at --listen only.",
    )
    public_url: str = setting(
        "",
        kind=kinds.PUBLIC_URL,
        default_text="that of the request",
        meaning="URL by which clients reach --listen: the issuer of access tokens, and the "
        "audience of what machine keys sign. If none, it is made of the Host of each request.",
    )
    tls_cert: str = setting(
        "",
        kind=kinds.FILE,
        default_text="none",
        meaning="Certificate in PEM, with those of intermediate authorities behind it: both "
        "addresses then speak TLS only.",
    )
    tls_key: str = setting(
        "",
        kind=kinds.FILE,
        default_text="none",
        meaning="Private key of that certificate in PEM, without a passphrase.",
    )
    tls_client_ca: str = setting(
        "",
        kind=kinds.FILE,
        default_text="none",
        meaning="Authorities in PEM: every client then needs a certificate of one of them, besides "
        "its token.",
    )
    data_dir: Path = setting(
        Path("data"),
        kind=kinds.FOLDER,
        default_text="./data",
        meaning="Folder of the database and of owner.token.",
    )
    database: str = setting(
        "",
        kind=kinds.DATABASE,
        default_text="SQLite in the data folder",
        meaning="PostgreSQL database, as postgresql://user@host/name; several processes may share "
        "it. It is a secret: better a variable or a file than a flag.",
        is_secret=True,
    )
    secret_key: str = setting(
        "",
        kind=kinds.SECRET_KEYS,
        default_text="secret.key in the data folder, made when it is needed; none with --database",
        meaning="Key that seals secrets in the database. Of several, the first seals, all open. It "
        "is a secret: better a variable or a file than a flag.",
        is_secret=True,
    )
    secret_key_file: str = setting(
        "",
        kind=kinds.FILE,
        default_text="none",
        meaning="File with such keys, one a line, in place of --secret-key.",
    )
    workers: int = setting(
        1,
        kind=kinds.number(1, 64),
        meaning="Processes that serve, on the same ports; more than one needs --database. Limits "
        "of connections and calls are those of each.",
    )
    jwt_issuer: str = setting(
        "",
        kind=kinds.LINE,
        meaning="Issuer whose JWTs are access tokens, as in their iss; if none, only personal "
        "access tokens are.",
    )
    jwt_audience: tuple[str, ...] = setting(
        (),
        kind=kinds.NAMES,
        meaning="Audiences, separated by commas; a JWT names at least one of them in its aud. "
        "Required with --jwt-issuer.",
    )
    jwt_jwks_url: str = setting(
        "",
        kind=kinds.URL,
        default_text="by discovery",
        meaning="URL of the issuer's keys.",
    )
    cors_origins: tuple[str, ...] = setting(
        (),
        kind=kinds.ORIGINS,
        meaning='Origins whose pages may call, separated by commas, or "*" for any. '
        "The log names pages that may not.",
    )
    trusted_proxies: tuple[str, ...] = setting(
        (),
        kind=kinds.PROXIES,
        meaning="Proxies whose X-Forwarded-For names the client in the log: networks, addresses, "
        "and unix for unix sockets; separated by commas.",
    )
    proxy_protocol: bool = setting(
        False,
        kind=kinds.SWITCH,
        meaning="Require a header of the PROXY protocol on each connection to --listen; those not "
        "of --trusted-proxies are closed.",
    )
    openapi: bool = setting(
        True,
        kind=kinds.SWITCH,
        meaning="Serve the OpenAPI document, /openapi.json, and a page that makes calls, /docs; "
        "neither needs a token.",
    )
    metrics_listen: str = setting(
        NO_ADDRESS,
        kind=kinds.PORT_OR_NONE,
        meaning="Address of the page of metrics for Prometheus, /metrics; whoever reaches it may "
        "read it. With --workers, the page is of all of them.",
    )
    traces_endpoint: str = setting(
        "",
        kind=kinds.COLLECTOR,
        default_text="none",
        meaning="URL of a collector that takes traces by OTLP over HTTP; without a path, "
        "/v1/traces. Needs the extra otel; headers are those of OTEL_EXPORTER_OTLP_HEADERS.",
    )
    traces_sample_ratio: float = setting(
        1.0,
        kind=kinds.RATIO,
        meaning="Part of the calls that are traced, of those whose caller does not decide it by "
        "traceparent.",
    )
    log_format: LogFormat = setting(
        "text", kind=kinds.LOG_FORMAT, meaning="Format of the log: text or json."
    )
    access_log: bool = setting(True, kind=kinds.SWITCH, meaning="Log each call and each run.")
    script_workers: int = setting(
        0,
        kind=kinds.number(0, 256),
        default_text="0, four for each core",
        meaning="Max processes that run scripts.",
    )
    script_queue: int = setting(
        512,
        kind=kinds.number(1, 100_000),
        meaning="Max runs that wait for such a process; one organisation has at most half of them.",
    )
    script_fetch_deny: tuple[str, ...] = setting(
        (),
        kind=kinds.HOSTS,
        meaning="Addresses, networks and host names that scripts may not fetch from, besides those "
        "that are not public; separated by commas.",
    )
    script_fetch_allow: tuple[str, ...] = setting(
        (),
        kind=kinds.HOSTS,
        meaning="Addresses, networks and host names that scripts may fetch from, even if they are "
        "denied or not public; separated by commas.",
    )
    script_dns_servers: tuple[str, ...] = setting(
        (),
        kind=kinds.NAME_SERVERS,
        default_text="the system's",
        meaning="Name servers that resolve what scripts fetch from, as 192.0.2.1 or "
        "192.0.2.1:5353; separated by commas.",
    )
    runs_keep_days: int = setting(
        7,
        kind=kinds.number(1, 3650, metavar="DAYS"),
        meaning="Days that a run stays in the log of runs.",
    )
    runs_max_mib: int = setting(
        64,
        kind=kinds.number(0, 1 << 20, metavar="MIB"),
        meaning="Max MiB of the log of runs; 0 keeps no log.",
    )


SETTINGS: Final = settings_of(Config)

CONFIG_FILE: Final = Setting(
    name="config",
    kind=kinds.FILE,
    default="",
    default_text="none",
    meaning="TOML file with settings.",
    is_secret=False,
)
TOKEN: Final = Setting(
    name="token",
    kind=kinds.LINE,
    default="",
    default_text=f"the {OWNER_TOKEN_FILE} of the data folder",
    meaning="Token of the caller.",
    is_secret=True,
)
"""The token of the caller, which only `call` takes."""

VARIABLES: Final = tuple(setting.variable for setting in (*SETTINGS, CONFIG_FILE, TOKEN))
"""Names of all environment variables that are read."""
