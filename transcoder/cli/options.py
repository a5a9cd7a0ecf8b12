"""Declares the options of the command `transcoder`, each once, and reads them.

Flags, variables of the environment and `--help` are made from this table. Limits, and how JSON is
written, are those of `transcoder.options`, with the texts that stand there.

Rule: an error names the option as it was given, as flag or as variable.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, NamedTuple, TypeVar

from transcoder.backends.channel import KEEPALIVE_S
from transcoder.cli import kinds
from transcoder.cli.errors import MisusedError
from transcoder.cli.kinds import Kind, ServiceRoute, UnexpectedError
from transcoder.errors import SchemaError, shown
from transcoder.field_texts import documented_fields
from transcoder.options import JsonOptions, Limits

T = TypeVar("T")

_META: Final = "option"
_VARIABLES: Final = "TRANSCODER_"
_REASONS: Final = re.compile(r" \(R\d+(?:, R\d+)*\)")
"""Numbers of robustness tests, which limits have behind their reasons."""

ACTION: Final = "what to do"
_FIELD: Final = re.compile("`([a-z_]+)`")

SERVICES: Final = "services and their servers"
LISTENER: Final = "where they are served"
ANSWERS: Final = "how they are served"
JSON: Final = "how JSON is written"
LIMITS: Final = "limits"
GROUPS: Final = (ACTION, SERVICES, LISTENER, ANSWERS, JSON, LIMITS)


class _Meta(NamedTuple):
    group: str
    kind: Kind[object]
    meaning: str


class Option(NamedTuple):
    """An option.

    Attributes:
        name: "tls_cert".
        group: its heading in `--help`.
        kind: of its values.
        meaning: for `--help`.
        default: its value if it is not given.
    """

    name: str
    group: str
    kind: Kind[object]
    meaning: str
    default: object

    @property
    def flag(self) -> str:
        return _flag(self.name)

    @property
    def variable(self) -> str:
        return f"{_VARIABLES}{self.name.upper()}"


def _option(default: T, group: str, kind: Kind[T], meaning: str) -> T:
    """Declares an option as the field of `Options`; typed as its value, as dataclasses do."""
    made: T = field(default=default, metadata={_META: _Meta(group, kind, meaning)})
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Holds the options, and declares their defaults."""

    listen: str = _option("", ACTION, kinds.ADDRESS, "serve there, as 127.0.0.1:8080 or unix:PATH")
    route: tuple[ServiceRoute, ...] = _option(
        (),
        SERVICES,
        kinds.SERVICE_ROUTES,
        "a service that another server has, as shop.v1.Shop=localhost:50052; may be repeated. "
        "SERVER has all others",
    )
    descriptor_set: str = _option(
        "",
        SERVICES,
        kinds.FILE,
        "the services, as protoc --descriptor_set_out writes them; servers are not asked for them",
    )
    service_config: str = _option(
        "",
        SERVICES,
        kinds.SERVICE_CONFIG,
        "a google.api.Service in YAML or JSON, whose HTTP rules count",
    )
    prefix: str = _option("", SERVICES, kinds.PREFIX, "before all REST routes, as /v1")
    server_tls: bool = _option(
        False, SERVICES, kinds.SWITCH, "call servers by TLS, as the system trusts them"
    )
    server_ca: str = _option(
        "", SERVICES, kinds.FILE, "call servers by TLS, and trust these authorities in PEM alone"
    )
    server_cert: str = _option(
        "", SERVICES, kinds.FILE, "certificate in PEM that servers ask this client of theirs for"
    )
    server_key: str = _option("", SERVICES, kinds.FILE, "private key of that certificate in PEM")
    server_keepalive_s: float = _option(
        KEEPALIVE_S,
        SERVICES,
        kinds.NUMBER,
        "seconds of silence in a call after which its server is pinged; fewer only for servers "
        "that permit it",
    )
    tls_cert: str = _option(
        "",
        LISTENER,
        kinds.FILE,
        "certificate in PEM, with those of intermediate authorities behind it: clients then need "
        "TLS",
    )
    tls_key: str = _option(
        "", LISTENER, kinds.FILE, "private key of that certificate in PEM, without a passphrase"
    )
    tls_client_ca: str = _option(
        "",
        LISTENER,
        kinds.FILE,
        "authorities in PEM: every client then needs a certificate of one of them",
    )
    trusted_proxies: tuple[str, ...] = _option(
        (),
        LISTENER,
        kinds.PROXIES,
        "proxies whose X-Forwarded-For names the client: networks, addresses, and unix, separated "
        "by commas",
    )
    cors_origins: tuple[str, ...] = _option(
        (),
        LISTENER,
        kinds.ORIGINS,
        'origins whose pages may call, separated by commas, or "*" for any',
    )
    strict: bool = _option(
        False, ANSWERS, kinds.SWITCH, "refuse unknown fields and parameters, which are ignored else"
    )
    openapi: bool = _option(
        True,
        ANSWERS,
        kinds.SWITCH,
        "serve an OpenAPI document at /openapi.json, and a page that shows it at /docs",
    )
    openapi_title: str = _option("API", ANSWERS, kinds.TEXT, "name of the API in the document")
    openapi_version: str = _option("1", ANSWERS, kinds.TEXT, "version of the API in the document")
    json: JsonOptions = field(default_factory=JsonOptions)
    limits: Limits = field(default_factory=Limits)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def limit_name(name: str) -> str:
    """Returns the name of the option of a limit: max_body_bytes for body_max_bytes."""
    words = name.split("_")
    if "max" in words:
        words.remove("max")
        words.insert(0, "max")
    return "_".join(words)


def _json_name(name: str) -> str:
    return f"json_{name}"


def _declared() -> Iterator[Option]:
    for each in fields(Options):
        if _META in each.metadata:
            meta: _Meta = each.metadata[_META]
            yield Option(each.name, meta.group, meta.kind, meta.meaning, each.default)
    for each, meaning in _documented(JsonOptions):
        yield Option(_json_name(each.name), JSON, kinds.SWITCH, meaning, each.default)
    for each, meaning in _documented(Limits):
        meaning = _FIELD.sub(lambda found: _flag(limit_name(found[1])), meaning)
        kind: Kind[float] = kinds.WHOLE_NUMBER if each.type is int else kinds.NUMBER
        yield Option(limit_name(each.name), LIMITS, kind, meaning, each.default)


def _documented(declaring: type[Any]) -> Iterator[tuple[Any, str]]:
    """Yields the fields of a dataclass, each with the docstring behind it as one line."""
    texts: dict[str, str] = {}
    for statement, text in documented_fields(declaring):
        line = _REASONS.sub("", " ".join((text or "").split())).rstrip(".")
        texts[ast.unparse(statement.target)] = line[:1].lower() + line[1:]
    for each in fields(declaring):
        yield each, texts[each.name]


OPTIONS: Final = tuple(_declared())


def read_options(flags: Mapping[str, object], environ: Mapping[str, str]) -> Options:
    """Reads the options.

    Args:
        flags: by name as in `OPTIONS`; None for one that is not given.
        environ: the environment.

    Raises:
        MisusedError: a value is invalid, or two do not fit together.
    """
    values: dict[str, Any] = {}
    given_as: dict[str, str] = {}
    for option in OPTIONS:
        flag = flags.get(option.name)
        origin = option.variable if flag is None else option.flag
        given = environ.get(option.variable) if flag is None else flag
        if given is not None:
            values[option.name] = _value(option, origin, given)
            given_as[option.name] = origin
    json = {each.name: _json_name(each.name) for each in fields(JsonOptions)}
    limits = {each.name: limit_name(each.name) for each in fields(Limits)}
    made_json = JsonOptions(**_popped(values, json))
    try:
        made_limits = Limits(**_popped(values, limits))
    except SchemaError as error:
        raise MisusedError(_naming_options(str(error), limits, given_as)) from None
    options = Options(**values, json=made_json, limits=made_limits)
    _check_pairs(options)
    return options


def _value(option: Option, origin: str, given: object) -> object:
    if isinstance(given, bool):  # a switch as a flag
        return given
    text = " ".join(given) if isinstance(given, list) else str(given)
    try:
        return option.kind.parse(text)
    except UnexpectedError as error:
        raise MisusedError(f"{origin}: expected {error}, got {shown(text)}") from None
    except SchemaError as error:
        raise MisusedError(f"{origin}: {error}") from None


def _popped(values: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Takes values out, and returns them by other names, those of the keys."""
    return {name: values.pop(own) for name, own in names.items() if own in values}


def _naming_options(text: str, names: Mapping[str, str], given_as: Mapping[str, str]) -> str:
    """Returns the text of an error with the option of a limit in place of its name."""
    for name, own in names.items():
        start = f"limit {name}: "
        if text.startswith(start):
            return f"{given_as.get(own, _flag(own))}: {text.removeprefix(start)}"
    return text


def _check_pairs(options: Options) -> None:
    for one, other, is_lonely in (
        ("--tls-cert", "--tls-key", options.tls_cert and not options.tls_key),
        ("--tls-key", "--tls-cert", options.tls_key and not options.tls_cert),
        ("--tls-client-ca", "--tls-cert", options.tls_client_ca and not options.tls_cert),
        ("--server-cert", "--server-key", options.server_cert and not options.server_key),
        ("--server-key", "--server-cert", options.server_key and not options.server_cert),
    ):
        if is_lonely:
            raise MisusedError(f"{one}: expected {other}, too, got none")
