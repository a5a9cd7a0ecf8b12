"""The settings: where each may come from, which wins, and what is said of a wrong one."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from server.config import Config, ConfigError, as_toml, load_config
from tests.support.tables import by_outcome, cases


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_nothing_given_is_the_documented_defaults() -> None:
    config = load_config({}, {}).config
    assert config == Config(
        listen="127.0.0.1:8080",
        grpc_listen="127.0.0.1:50051",
        data_dir=Path("data"),
        public_url="",
        tls_cert="",
        tls_key="",
        tls_client_ca="",
        jwt_issuer="",
        jwt_audience=(),
        jwt_jwks_url="",
        cors_origins=(),
        trusted_proxies=(),
        proxy_protocol=False,
        openapi=True,
        metrics_listen="none",
        traces_endpoint="",
        traces_sample_ratio=1.0,
        log_format="text",
        access_log=True,
        script_workers=0,
        script_queue=512,
        script_fetch_deny=(),
        script_fetch_allow=(),
        script_dns_servers=(),
        runs_keep_days=7,
        runs_max_mib=64,
    )


@cases(
    "name, given, expected",
    {
        "IPv4, any free port": ("listen", "0.0.0.0:0", "0.0.0.0:0"),
        "IPv6, the last port": ("listen", "[::1]:65535", "[::1]:65535"),
        "a name": ("listen", "db-1.internal:80", "db-1.internal:80"),
        "a name that is whole": ("listen", "a.example.:80", "a.example.:80"),
        "leading zeros": ("grpc_listen", "localhost:050", "localhost:50"),
        "no address": ("grpc_listen", "none", "none"),
        "a folder with a space": ("data_dir", "some where", Path("some where")),
        "a folder that is there": ("data_dir", ".", Path()),
        "no origin": ("cors_origins", "", ()),
        "any origin": ("cors_origins", "*", ("*",)),
        "two origins": (
            "cors_origins",
            "https://app.example, http://localhost:3000",
            ("https://app.example", "http://localhost:3000"),
        ),
        "as browsers do": ("cors_origins", "HTTPS://App.Example:443", ("https://app.example",)),
        "IPv6 origin": ("cors_origins", "http://[::1]:1", ("http://[::1]:1",)),
        "twice the same": ("cors_origins", "http://a,http://a", ("http://a",)),
        "proxies": (
            "trusted_proxies",
            "10.0.0.0/8,2001:db8::1, unix",
            ("10.0.0.0/8", "2001:db8::1", "unix"),
        ),
        "log format": ("log_format", "json", "json"),
        "a switch off": ("access_log", "OFF", False),
        "a switch on": ("access_log", "1", True),
        "a number": ("script_workers", "8", 8),
        "a collector": ("traces_endpoint", "http://otel:4318", "http://otel:4318/v1/traces"),
        "a collector with a slash": ("traces_endpoint", "https://a/", "https://a/v1/traces"),
        "a path of a collector": ("traces_endpoint", "https://a/b", "https://a/b"),
        "no collector": ("traces_endpoint", "", ""),
        "a ratio": ("traces_sample_ratio", "0.25", 0.25),
        "the least ratio": ("traces_sample_ratio", "0", 0.0),
        "the least number": ("runs_max_mib", "0", 0),
        "a network, an address, a name": (
            "script_fetch_deny",
            "203.0.113.0/24, ::1,db.internal",
            ("203.0.113.0/24", "::1", "db.internal"),
        ),
        "name servers": (
            "script_dns_servers",
            "192.0.2.1, 192.0.2.1:5353,2001:DB8::1, [2001:db8::2], [::1]:5353",
            (
                "192.0.2.1:53",
                "192.0.2.1:5353",
                "[2001:db8::1]:53",
                "[2001:db8::2]:53",
                "[::1]:5353",
            ),
        ),
    },
)
@pytest.mark.parametrize("source", ["flag", "environment", "file"])
def test_a_setting_can_be_given_in_each_place(
    source: str, name: str, given: str, expected: object
) -> None:
    flags: dict[str, object] = {}
    environ: dict[str, str] = {}
    if source == "flag":
        flags[name] = given
    elif source == "environment":
        environ[f"ACTIONS_{name.upper()}"] = given
    else:
        Path("file.toml").write_text(f'{name} = "{given}"')
        flags["config"] = "file.toml"
    assert getattr(load_config(flags, environ).config, name) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('grpc-listen = "a:1"', Config(grpc_listen="a:1"), id="with a dash"),
        pytest.param(
            'cors-origins = ["https://a", "https://b"]',
            Config(cors_origins=("https://a", "https://b")),
            id="a list of origins",
        ),
        pytest.param("cors_origins = []", Config(), id="an empty list"),
        pytest.param(
            'jwt-issuer = "https://issuer.example"\njwt-audience = ["one", "two"]',
            Config(jwt_issuer="https://issuer.example", jwt_audience=("one", "two")),
            id="an issuer and a list of audiences",
        ),
        pytest.param("access_log = false", Config(access_log=False), id="a boolean"),
        pytest.param("script_queue = 1", Config(script_queue=1), id="a number"),
        pytest.param("# nothing", Config(), id="nothing"),
    ],
)
def test_the_file_may_use_types_of_its_own(text: str, expected: Config) -> None:
    Path("file.toml").write_text(text)
    assert load_config({"config": "file.toml"}, {}).config == expected


def test_an_issuer_may_be_any_name_where_its_keys_have_a_url() -> None:
    flags: dict[str, object] = {
        "jwt_issuer": "issuer",
        "jwt_audience": "one, two,one",
        "jwt_jwks_url": "http://localhost:80/keys",
    }
    assert load_config(flags, {}).config == Config(
        jwt_issuer="issuer", jwt_audience=("one", "two"), jwt_jwks_url="http://localhost:80/keys"
    )


def test_flags_win_over_the_environment_and_that_over_the_file() -> None:
    Path("file.toml").write_text('listen = "file:1"\ngrpc_listen = "file:2"\ndata_dir = "file"')
    environ = {
        "ACTIONS_CONFIG": "file.toml",
        "ACTIONS_LISTEN": "environment:1",
        "ACTIONS_GRPC_LISTEN": "environment:2",
    }
    config, origins = load_config({"listen": "flag:1", "grpc_listen": None}, environ)
    assert config == Config(listen="flag:1", grpc_listen="environment:2", data_dir=Path("file"))
    assert origins == {
        "listen": "--listen",
        "grpc_listen": "ACTIONS_GRPC_LISTEN",
        "public_url": "default",
        "tls_cert": "default",
        "tls_key": "default",
        "tls_client_ca": "default",
        "data_dir": "file.toml: data_dir",
        "database": "default",
        "secret_key": "default",
        "secret_key_file": "default",
        "workers": "default",
        "jwt_issuer": "default",
        "jwt_audience": "default",
        "jwt_jwks_url": "default",
        "cors_origins": "default",
        "trusted_proxies": "default",
        "proxy_protocol": "default",
        "openapi": "default",
        "metrics_listen": "default",
        "traces_endpoint": "default",
        "traces_sample_ratio": "default",
        "log_format": "default",
        "access_log": "default",
        "script_workers": "default",
        "script_queue": "default",
        "script_fetch_deny": "default",
        "script_fetch_allow": "default",
        "script_dns_servers": "default",
        "runs_keep_days": "default",
        "runs_max_mib": "default",
    }


def test_other_variables_of_the_prefix_are_not_ours() -> None:
    assert (
        load_config({}, {"ACTIONS_RUNTIME_URL": "x", "ACTIONS_PORT": "tcp://x"}).config == Config()
    )


ADDRESS = "expected host:port, [IPv6]:port or unix:path, with a port from 0 to 65535, got"
ORIGINS = 'expected origins as scheme://host or scheme://host:port, or "*", got'


@by_outcome(
    "given, line",
    {
        f"--listen: {ADDRESS} '8080'": {"no host": {"listen": "8080"}},
        "--script-queue: expected a whole number from 1 to 100000, got '0'": {
            "too small a number": {"script_queue": "0"}
        },
        "ACTIONS_RUNS_KEEP_DAYS: expected a whole number from 1 to 3650, got '1.5'": {
            "no whole number": {"ACTIONS_RUNS_KEEP_DAYS": "1.5"}
        },
        "--script-fetch-deny: expected addresses, networks (CIDR) and host names, "
        "separated by commas, got 'a, 10.0.0.0/99'": {
            "no network": {"script_fetch_deny": "a, 10.0.0.0/99"}
        },
        "--trusted-proxies: expected networks (CIDR), addresses and unix, separated by commas, "
        "got 'proxy.internal'": {"a name of a proxy": {"trusted_proxies": "proxy.internal"}},
        **{
            "--script-dns-servers: expected addresses of name servers, each with a port or "
            f"without, separated by commas, got {wrong!r}": {
                f"name server {wrong}": {"script_dns_servers": wrong}
            }
            for wrong in (
                *("dns.example", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:"),
                *("[::1]:x", "[::1", "::1]", "[192.0.2.1]", "[]"),
            )
        },
        **{
            "--traces-endpoint: expected an http or https URL without user, password, query and "
            f"fragment, got {wrong!r}": {f"collector {wrong}": {"traces_endpoint": wrong}}
            for wrong in (
                *("otel:4318", "grpc://otel:4317", "http://", "http://u:p@otel", "http://a?b"),
                *("http://a:0", "http://a:x", "http://a:65536", "http://a b", "http://[::1"),
            )
        },
        **{
            f"--traces-sample-ratio: expected a number from 0 to 1, as 0.1, got {wrong!r}": {
                f"ratio {wrong}": {"traces_sample_ratio": wrong}
            }
            for wrong in ("1.1", "-0.1", "nan", "inf", "1e-3", "", "10%")
        },
        f"--listen: {ADDRESS} ':80'": {"empty host": {"listen": ":80"}},
        f"--listen: {ADDRESS} 'a:'": {"empty port": {"listen": "a:"}},
        f"--listen: {ADDRESS} 'a:65536'": {"port": {"listen": "a:65536"}},
        f"--listen: {ADDRESS} 'a:-1'": {"negative port": {"listen": "a:-1"}},
        f"--listen: {ADDRESS} 'a:\u0661'": {"foreign digit": {"listen": "a:\u0661"}},
        f"--listen: {ADDRESS} 'a..b:1'": {"empty label": {"listen": "a..b:1"}},
        f"--listen: {ADDRESS} '.a:1'": {"empty first label": {"listen": ".a:1"}},
        f"--listen: {ADDRESS} '{'a' * 40}…'": {
            "long label": {"listen": "a" * 64 + ":1"},
            "long": {"listen": "a" * 50},
        },
        f"--listen: {ADDRESS} '::1:80'": {"bare IPv6": {"listen": "::1:80"}},
        f"--listen: {ADDRESS} '[::g]:1'": {"bad IPv6": {"listen": "[::g]:1"}},
        f"--listen: {ADDRESS} '1.2.3:1'": {"bad IPv4": {"listen": "1.2.3:1"}},
        f"--listen: {ADDRESS} 'a:1\\n'": {"line break": {"listen": "a:1\n"}},
        f"--listen: {ADDRESS} 'http://a:1'": {"an URL": {"listen": "http://a:1"}},
        f"ACTIONS_LISTEN: {ADDRESS} ''": {"empty variable": {"ACTIONS_LISTEN": ""}},
        f"--listen: {ADDRESS} 'none'": {"no address, which gRPC may have": {"listen": "none"}},
        f"--grpc-listen: {ADDRESS.replace(', got', '; or none, got')} 'None'": {
            "no address, misspelt": {"grpc_listen": "None"}
        },
        "ACTIONS_GRPC_LISTEN: expected another address than that of listen, got 'a:1'": {
            "one address twice": {"listen": "a:1", "ACTIONS_GRPC_LISTEN": "a:1"}
        },
        "ACTIONS_DATA_DIR: expected the path of a folder, got ''": {
            "empty folder": {"ACTIONS_DATA_DIR": ""}
        },
        "--data-dir: expected a folder and not a file, got 'file'": {
            "a file": {"data_dir": "file"}
        },
        "--data-dir: expected the path of a folder, in UTF-8, got '\\udcff'": {
            "not UTF-8": {"data_dir": "\udcff"}
        },
        "--data-dir: expected a folder that can be used (Not a directory), got 'file/below'": {
            "below a file": {"data_dir": "file/below"}
        },
        f"--cors-origins: {ORIGINS} 'app.example'": {"no scheme": {"cors_origins": "app.example"}},
        f"--cors-origins: {ORIGINS} 'https://a/'": {"a path": {"cors_origins": "https://a/"}},
        f"--cors-origins: {ORIGINS} 'https://a,,'": {
            "empty origin": {"cors_origins": "https://a,,"}
        },
        f"--cors-origins: {ORIGINS} 'null'": {"opaque origin": {"cors_origins": "null"}},
        f"--cors-origins: {ORIGINS} 'https://a:0'": {
            "origin's port": {"cors_origins": "https://a:0"}
        },
        "--cors-origins: expected either \"*\" or a list of origins, got '*,https://a'": {
            "any and one": {"cors_origins": "*,https://a"}
        },
        "ACTIONS_LOG_FORMAT: expected text or json, got 'xml'": {
            "log format": {"ACTIONS_LOG_FORMAT": "xml"}
        },
        "ACTIONS_ACCESS_LOG: expected true or false, got 'maybe'": {
            "switch": {"ACTIONS_ACCESS_LOG": "maybe"}
        },
        "--jwt-audience: expected names, separated by commas, got 'a,,b'": {
            "empty audience": {"jwt_audience": "a,,b"}
        },
        "--jwt-issuer: expected one line of text, got 'a\\nb'": {
            "issuer of two lines": {"jwt_issuer": "a\nb"}
        },
        "--jwt-jwks-url: expected an https URL (http on this machine), "
        "got 'http://issuer.example/keys'": {
            "keys over the network, unprotected": {"jwt_jwks_url": "http://issuer.example/keys"}
        },
        "--proxy-protocol: expected trusted_proxies to be given, too": {
            "no proxies": {"proxy_protocol": "true"}
        },
        "--jwt-jwks-url: expected jwt_issuer to be given, too": {
            "keys of no issuer": {"jwt_jwks_url": "https://issuer.example/keys"}
        },
        "ACTIONS_JWT_AUDIENCE: expected jwt_issuer to be given, too": {
            "audience of no issuer": {"ACTIONS_JWT_AUDIENCE": "a"}
        },
        "--jwt-issuer: expected jwt_audience to be given, too": {
            "issuer without audience": {"jwt_issuer": "https://issuer.example"}
        },
        "--jwt-issuer: expected an https URL (http on this machine), "
        "as jwt_jwks_url is not given, got 'issuer'": {
            "issuer without discovery": {"jwt_issuer": "issuer", "jwt_audience": "a"}
        },
        "--config: cannot read 'absent.toml': No such file or directory": {
            "no such file": {"config": "absent.toml"}
        },
        "ACTIONS_CONFIG: cannot read '.': Is a directory": {
            "a folder for a file": {"ACTIONS_CONFIG": "."}
        },
    },
)
def test_a_wrong_value_is_one_line_that_names_its_place(
    given: Mapping[str, str], line: str
) -> None:
    """Names of variables are in capitals, those of flags are not."""
    environ = {name: value for name, value in given.items() if name.isupper()}
    Path("file").touch()
    with pytest.raises(ConfigError) as caught:
        load_config({name: given[name] for name in given if name not in environ}, environ)
    assert str(caught.value) == line


WRONG_FILES: dict[str, dict[str, bytes]] = {
    f"f.toml: listen: {ADDRESS} 'a'": {"wrong value": b'listen = "a"'},
    f"f.toml: listen: {ADDRESS} 8080": {"wrong type": b"listen = 8080"},
    "f.toml: access-log: expected true or false, got 1": {
        "a number for a boolean": b"access-log = 1"
    },
    f"f.toml: cors_origins: {ORIGINS} [1]": {"a list of numbers": b"cors_origins = [1]"},
    "f.toml: runs_max_mib: expected a whole number from 0 to 1048576, got true": {
        "a boolean for a number": b"runs_max_mib = true"
    },
    "f.toml: data_dir: expected the path of a folder, got 1": {"folder": b"data_dir = 1"},
    f'f.toml: listen: {ADDRESS} ["a", 1, true, 1.5, 2020-01-01, 07:00:00…': {
        "a long list, as TOML has it": b'listen = ["a", 1, true, 1.5, 2020-01-01, 07:00:00]'
    },
    "f.toml: log-format: expected text or json, got {json = inf}": {
        "a table": b"[log-format]\njson = inf"
    },
    "f.toml: runs_max_mib: expected a whole number from 0 to 1048576, got 0x" + "f" * 38 + "…": {
        "a number that Python writes in hexadecimal only": b"runs_max_mib = 0x" + b"f" * 5000
    },
    "f.toml: expected TOML, got a number of too many digits": {
        "a number that Python does not read": b"runs_max_mib = " + b"1" * 5000
    },
    "f.toml: data_dir: expected the path of a folder, got '\\x00'": {
        "NUL": b'data_dir = "\\u0000"'
    },
    "f.toml: unknown key 'listn', expected one of listen, grpc_listen, "
    "public_url, tls_cert, tls_key, tls_client_ca, data_dir, database, secret_key, "
    "secret_key_file, workers, "
    "jwt_issuer, jwt_audience, jwt_jwks_url, cors_origins, trusted_proxies, "
    "proxy_protocol, openapi, metrics_listen, traces_endpoint, traces_sample_ratio, log_format, "
    "access_log, script_workers, script_queue, "
    "script_fetch_deny, script_fetch_allow, script_dns_servers, runs_keep_days, runs_max_mib": {
        "unknown key": b"listn = 1"
    },
    "f.toml: grpc_listen is given twice, with - and with _": {
        "both spellings": b'grpc-listen = "a:1"\ngrpc_listen = "a:2"'
    },
    "f.toml: expected TOML: Invalid value (at end of document)": {"malformed": b"listen = "},
    "f.toml: expected UTF-8, got b'\\xff'": {"not UTF-8": b"a = '\xff'"},
    "f.toml: expected TOML, got values nested too deep": {"nested too deep": b"a = " + b"[" * 5000},
    "f.toml: expected at most 1048576 bytes of TOML": {"too long": b"#" * (1 << 20) + b"#"},
}


@by_outcome("content, line", WRONG_FILES)
def test_a_wrong_file_is_one_line_that_names_the_key(content: bytes, line: str) -> None:
    Path("f.toml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config({"config": "f.toml"}, {})
    assert str(caught.value) == line


def test_an_overridden_value_may_be_invalid() -> None:
    assert load_config({"listen": "a:1"}, {"ACTIONS_LISTEN": "wrong"}).config.listen == "a:1"


def test_the_effective_settings_are_written_as_a_configuration_file() -> None:
    loaded = load_config(
        {"data_dir": 'a "folder"', "access_log": False, "cors_origins": "https://a,https://b"}, {}
    )
    text = as_toml(loaded)
    assert text.splitlines() == [
        'listen = "127.0.0.1:8080"  # default',
        'grpc_listen = "127.0.0.1:50051"  # default',
        'public_url = ""  # default',
        'tls_cert = ""  # default',
        'tls_key = ""  # default',
        'tls_client_ca = ""  # default',
        'data_dir = "a \\"folder\\""  # --data-dir',
        'database = ""  # default',
        'secret_key = ""  # default',
        'secret_key_file = ""  # default',
        "workers = 1  # default",
        'jwt_issuer = ""  # default',
        "jwt_audience = []  # default",
        'jwt_jwks_url = ""  # default',
        'cors_origins = ["https://a", "https://b"]  # --cors-origins',
        "trusted_proxies = []  # default",
        "proxy_protocol = false  # default",
        "openapi = true  # default",
        'metrics_listen = "none"  # default',
        'traces_endpoint = ""  # default',
        "traces_sample_ratio = 1.0  # default",
        'log_format = "text"  # default',
        "access_log = false  # --access-log",
        "script_workers = 0  # default",
        "script_queue = 512  # default",
        "script_fetch_deny = []  # default",
        "script_fetch_allow = []  # default",
        "script_dns_servers = []  # default",
        "runs_keep_days = 7  # default",
        "runs_max_mib = 64  # default",
    ]
    assert tomllib.loads(text)["data_dir"] == 'a "folder"'
