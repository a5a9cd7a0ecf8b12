"""Options of the command `transcoder`: flags, variables, limits, and what is refused."""

from dataclasses import fields
from typing import Any

import pytest

from tests.support.tables import cases
from transcoder import JsonOptions, Limits
from transcoder.cli.arguments import parse
from transcoder.cli.errors import MisusedError
from transcoder.cli.kinds import ServiceRoute
from transcoder.cli.options import OPTIONS, Options, read_options


def read(*arguments: str, **environ: str) -> Options:
    return read_options(vars(parse(arguments)), environ)


def test_without_arguments_options_have_their_defaults() -> None:
    assert read() == Options()
    assert (read().limits, read().json, read().openapi) == (Limits(), JsonOptions(), True)


def test_every_limit_has_an_option_with_its_own_text() -> None:
    meanings = {option.flag: option.meaning for option in OPTIONS}
    assert meanings["--max-headers"] == "max header fields in a request"
    assert meanings["--max-bodies-bytes"].endswith("for bodies of at most --max-inline-bytes")
    assert meanings["--drain-timeout-s"] == "max seconds for calls in flight when serving stops"
    for limit in fields(Limits):
        default: Any = limit.default
        changed = default + 1 if limit.type is int else default + 0.5
        words = sorted(limit.name.split("_"))
        [option] = [each for each in OPTIONS if sorted(each.name.split("_")) == words]
        assert option.default == default
        assert read(option.flag, str(changed)).limits == Limits(**{limit.name: changed})


def test_a_flag_wins_over_a_variable() -> None:
    environ = {
        "TRANSCODER_TLS_CERT": "a.pem",
        "TRANSCODER_TLS_KEY": "a.key",
        "TRANSCODER_STRICT": "true",
        "TRANSCODER_JSON_PROTO_NAMES": "yes",
        "TRANSCODER_MAX_BODY_BYTES": "200",
    }
    options = read("--tls-cert", "b.pem", "--no-strict", **environ)
    assert (options.tls_cert, options.tls_key, options.strict) == ("b.pem", "a.key", False)
    assert options.json == JsonOptions(proto_names=True)
    assert options.limits == Limits(body_max_bytes=200)


def test_services_of_several_servers_are_given_one_by_one() -> None:
    expected = (ServiceRoute("a.A", "one:1"), ServiceRoute("b.v1.B", "dns:///two:2"))
    assert read("--route", "a.A=one:1", "--route", "b.v1.B=dns:///two:2").route == expected
    assert read(TRANSCODER_ROUTE="a.A=one:1 b.v1.B=dns:///two:2").route == expected


@cases(
    "arguments, text",
    {
        "unknown": ("--lisen x:1", "unrecognized arguments: --lisen; --help lists all options"),
        "a beginning": ("--max-body 1", "unrecognized arguments: --max-body; --help lists all"),
        "no value": ("--prefix", "argument --prefix: expected one argument; --help lists all"),
        "two actions": ("--listen x:1 --check", "argument --check: not allowed with argument"),
        "no address": (
            "--listen 8080",
            "--listen: address '8080': expected host:port, [v6]:port or unix:path",
        ),
        "no number": (
            "--max-headers many",
            "--max-headers: expected a whole number above 0, got 'many'",
        ),
        "no whole number": (
            "--max-headers 1.5",
            "--max-headers: expected a whole number above 0, got '1.5'",
        ),
        "no limit": (
            "--body-timeout-s 0",
            "--body-timeout-s: expected a number above 0, got '0'",
        ),
        "no seconds": ("--body-timeout-s nan", "--body-timeout-s: expected a number above 0, got"),
        "too little room": (
            "--max-bodies-bytes 5000",
            "--max-bodies-bytes: expected room for one body of 4194304 bytes besides",
        ),
        "no origin": ("--cors-origins app.example", "--cors-origins: CORS origin: expected scheme"),
        "no network": ("--trusted-proxies x", "--trusted-proxies: trusted proxy 'x': expected a"),
        "no service": (
            "--route localhost:50051",
            "--route: expected SERVICE=SERVER, as shop.v1.Shop=localhost:50052, got 'localhost",
        ),
        "two servers": (
            "--route a.A=one:1 --route a.A=two:2",
            "--route: 'a.A': expected one server, got another for it, too",
        ),
        "no prefix": ("--prefix v1", "--prefix: path template 'v1', column 1: expected \"/\", got"),
        "no rules": (
            "--service-config nope",
            "--service-config: service configuration nope: No such file or directory",
        ),
        "no key": ("--tls-cert a.pem", "--tls-cert: expected --tls-key, too, got none"),
        "no certificate": ("--tls-key a.key", "--tls-key: expected --tls-cert, too, got none"),
        "authorities alone": ("--tls-client-ca a.pem", "--tls-client-ca: expected --tls-cert, too"),
        "no key of the client": ("--server-cert a.pem", "--server-cert: expected --server-key,"),
        "a key of the client alone": ("--server-key a.pem", "--server-key: expected --server-cert"),
    },
)
def test_an_error_names_the_option_what_is_expected_and_what_it_got(
    arguments: str, text: str
) -> None:
    with pytest.raises(MisusedError) as raised:
        read(*arguments.split())
    assert str(raised.value).startswith(text)


def test_an_error_names_a_variable() -> None:
    with pytest.raises(MisusedError) as raised:
        read(TRANSCODER_STRICT="perhaps")
    assert str(raised.value) == "TRANSCODER_STRICT: expected true or false, got 'perhaps'"
    with pytest.raises(MisusedError) as raised:
        read(TRANSCODER_MAX_HEADERS="0")
    expected = "TRANSCODER_MAX_HEADERS: expected a whole number above 0, got 0"
    assert str(raised.value) == expected
