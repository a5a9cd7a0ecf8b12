"""The settings: where each may come from, which wins, and what is said of a wrong one."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from server.config import Config, ConfigError, as_toml, load_config


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
        jwt_issuer="",
        jwt_audience=(),
        jwt_jwks_url="",
        cors_origins=(),
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


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        pytest.param("listen", "0.0.0.0:0", "0.0.0.0:0", id="IPv4, any free port"),
        pytest.param("listen", "[::1]:65535", "[::1]:65535", id="IPv6, the last port"),
        pytest.param("listen", "db-1.internal:80", "db-1.internal:80", id="a name"),
        pytest.param("listen", "a.example.:80", "a.example.:80", id="a name that is whole"),
        pytest.param("grpc_listen", "localhost:050", "localhost:50", id="leading zeros"),
        pytest.param("data_dir", "some where", Path("some where"), id="a folder with a space"),
        pytest.param("data_dir", ".", Path(), id="a folder that is there"),
        pytest.param("cors_origins", "", (), id="no origin"),
        pytest.param("cors_origins", "*", ("*",), id="any origin"),
        pytest.param(
            "cors_origins",
            "https://app.example, http://localhost:3000",
            ("https://app.example", "http://localhost:3000"),
            id="two origins",
        ),
        pytest.param(
            "cors_origins", "HTTPS://App.Example:443", ("https://app.example",), id="as browsers do"
        ),
        pytest.param("cors_origins", "http://[::1]:1", ("http://[::1]:1",), id="IPv6 origin"),
        pytest.param("cors_origins", "http://a,http://a", ("http://a",), id="twice the same"),
        pytest.param("log_format", "json", "json", id="log format"),
        pytest.param("access_log", "OFF", False, id="a switch off"),
        pytest.param("access_log", "1", True, id="a switch on"),
        pytest.param("script_workers", "8", 8, id="a number"),
        pytest.param("runs_max_mib", "0", 0, id="the least number"),
        pytest.param(
            "script_fetch_deny",
            "203.0.113.0/24, ::1,db.internal",
            ("203.0.113.0/24", "::1", "db.internal"),
            id="a network, an address, a name",
        ),
        pytest.param(
            "script_dns_servers",
            "192.0.2.1, 192.0.2.1:5353,2001:DB8::1, [2001:db8::2], [::1]:5353",
            (
                "192.0.2.1:53",
                "192.0.2.1:5353",
                "[2001:db8::1]:53",
                "[2001:db8::2]:53",
                "[::1]:5353",
            ),
            id="name servers",
        ),
    ],
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
        jwt_issuer="issuer",
        jwt_audience=("one", "two"),
        jwt_jwks_url="http://localhost:80/keys",
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
        "data_dir": "file.toml: data_dir",
        "jwt_issuer": "default",
        "jwt_audience": "default",
        "jwt_jwks_url": "default",
        "cors_origins": "default",
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


@pytest.mark.parametrize(
    ("flags", "environ", "line"),
    [
        pytest.param({"listen": "8080"}, {}, f"--listen: {ADDRESS} '8080'", id="no host"),
        pytest.param(
            {"script_queue": "0"},
            {},
            "--script-queue: expected a whole number from 1 to 100000, got '0'",
            id="too small a number",
        ),
        pytest.param(
            {},
            {"ACTIONS_RUNS_KEEP_DAYS": "1.5"},
            "ACTIONS_RUNS_KEEP_DAYS: expected a whole number from 1 to 3650, got '1.5'",
            id="no whole number",
        ),
        pytest.param(
            {"script_fetch_deny": "a, 10.0.0.0/99"},
            {},
            "--script-fetch-deny: expected addresses, networks (CIDR) and host names, "
            "separated by commas, got 'a, 10.0.0.0/99'",
            id="no network",
        ),
        *(
            pytest.param(
                {"script_dns_servers": wrong},
                {},
                "--script-dns-servers: expected addresses of name servers, each with a port or "
                f"without, separated by commas, got {wrong!r}",
                id=f"name server {wrong}",
            )
            for wrong in (
                "dns.example",
                "192.0.2.1:0",
                "192.0.2.1:65536",
                "192.0.2.1:",
                "[::1]:x",
                "[::1",
                "::1]",
                "[192.0.2.1]",
                "[]",
            )
        ),
        pytest.param({"listen": ":80"}, {}, f"--listen: {ADDRESS} ':80'", id="empty host"),
        pytest.param({"listen": "a:"}, {}, f"--listen: {ADDRESS} 'a:'", id="empty port"),
        pytest.param({"listen": "a:65536"}, {}, f"--listen: {ADDRESS} 'a:65536'", id="port"),
        pytest.param({"listen": "a:-1"}, {}, f"--listen: {ADDRESS} 'a:-1'", id="negative port"),
        pytest.param(
            {"listen": "a:\u0661"}, {}, f"--listen: {ADDRESS} 'a:\u0661'", id="foreign digit"
        ),
        pytest.param({"listen": "a..b:1"}, {}, f"--listen: {ADDRESS} 'a..b:1'", id="empty label"),
        pytest.param({"listen": ".a:1"}, {}, f"--listen: {ADDRESS} '.a:1'", id="empty first label"),
        pytest.param(
            {"listen": "a" * 64 + ":1"}, {}, f"--listen: {ADDRESS} '{'a' * 40}…'", id="long label"
        ),
        pytest.param({"listen": "::1:80"}, {}, f"--listen: {ADDRESS} '::1:80'", id="bare IPv6"),
        pytest.param({"listen": "[::g]:1"}, {}, f"--listen: {ADDRESS} '[::g]:1'", id="bad IPv6"),
        pytest.param({"listen": "1.2.3:1"}, {}, f"--listen: {ADDRESS} '1.2.3:1'", id="bad IPv4"),
        pytest.param({"listen": "a:1\n"}, {}, f"--listen: {ADDRESS} 'a:1\\n'", id="line break"),
        pytest.param(
            {"listen": "http://a:1"}, {}, f"--listen: {ADDRESS} 'http://a:1'", id="an URL"
        ),
        pytest.param(
            {"listen": "a" * 50},
            {},
            f"--listen: {ADDRESS} '{'a' * 40}…'",
            id="long",
        ),
        pytest.param(
            {},
            {"ACTIONS_GRPC_LISTEN": ""},
            f"ACTIONS_GRPC_LISTEN: {ADDRESS} ''",
            id="empty variable",
        ),
        pytest.param(
            {"listen": "a:1"},
            {"ACTIONS_GRPC_LISTEN": "a:1"},
            "ACTIONS_GRPC_LISTEN: expected another address than that of listen, got 'a:1'",
            id="one address twice",
        ),
        pytest.param(
            {},
            {"ACTIONS_DATA_DIR": ""},
            "ACTIONS_DATA_DIR: expected the path of a folder, got ''",
            id="empty folder",
        ),
        pytest.param(
            {"data_dir": "file"},
            {},
            "--data-dir: expected a folder and not a file, got 'file'",
            id="a file",
        ),
        pytest.param(
            {"data_dir": "\udcff"},
            {},
            "--data-dir: expected the path of a folder, in UTF-8, got '\\udcff'",
            id="not UTF-8",
        ),
        pytest.param(
            {"data_dir": "file/below"},
            {},
            "--data-dir: expected a folder that can be used (Not a directory), got 'file/below'",
            id="below a file",
        ),
        pytest.param(
            {"cors_origins": "app.example"},
            {},
            f"--cors-origins: {ORIGINS} 'app.example'",
            id="no scheme",
        ),
        pytest.param(
            {"cors_origins": "https://a/"},
            {},
            f"--cors-origins: {ORIGINS} 'https://a/'",
            id="a path",
        ),
        pytest.param(
            {"cors_origins": "https://a,,"},
            {},
            f"--cors-origins: {ORIGINS} 'https://a,,'",
            id="empty origin",
        ),
        pytest.param(
            {"cors_origins": "null"}, {}, f"--cors-origins: {ORIGINS} 'null'", id="opaque origin"
        ),
        pytest.param(
            {"cors_origins": "https://a:0"},
            {},
            f"--cors-origins: {ORIGINS} 'https://a:0'",
            id="origin's port",
        ),
        pytest.param(
            {"cors_origins": "*,https://a"},
            {},
            "--cors-origins: expected either \"*\" or a list of origins, got '*,https://a'",
            id="any and one",
        ),
        pytest.param(
            {},
            {"ACTIONS_LOG_FORMAT": "xml"},
            "ACTIONS_LOG_FORMAT: expected text or json, got 'xml'",
            id="log format",
        ),
        pytest.param(
            {},
            {"ACTIONS_ACCESS_LOG": "maybe"},
            "ACTIONS_ACCESS_LOG: expected true or false, got 'maybe'",
            id="switch",
        ),
        pytest.param(
            {"jwt_audience": "a,,b"},
            {},
            "--jwt-audience: expected names, separated by commas, got 'a,,b'",
            id="empty audience",
        ),
        pytest.param(
            {"jwt_issuer": "a\nb"},
            {},
            "--jwt-issuer: expected one line of text, got 'a\\nb'",
            id="issuer of two lines",
        ),
        pytest.param(
            {"jwt_jwks_url": "http://issuer.example/keys"},
            {},
            "--jwt-jwks-url: expected an https URL (http on this machine), "
            "got 'http://issuer.example/keys'",
            id="keys over the network, unprotected",
        ),
        pytest.param(
            {"jwt_jwks_url": "https://issuer.example/keys"},
            {},
            "--jwt-jwks-url: expected jwt_issuer to be given, too",
            id="keys of no issuer",
        ),
        pytest.param(
            {},
            {"ACTIONS_JWT_AUDIENCE": "a"},
            "ACTIONS_JWT_AUDIENCE: expected jwt_issuer to be given, too",
            id="audience of no issuer",
        ),
        pytest.param(
            {"jwt_issuer": "https://issuer.example"},
            {},
            "--jwt-issuer: expected jwt_audience to be given, too",
            id="issuer without audience",
        ),
        pytest.param(
            {"jwt_issuer": "issuer", "jwt_audience": "a"},
            {},
            "--jwt-issuer: expected an https URL (http on this machine), "
            "as jwt_jwks_url is not given, got 'issuer'",
            id="issuer without discovery",
        ),
        pytest.param(
            {"config": "absent.toml"},
            {},
            "--config: cannot read 'absent.toml': No such file or directory",
            id="no such file",
        ),
        pytest.param(
            {},
            {"ACTIONS_CONFIG": "."},
            "ACTIONS_CONFIG: cannot read '.': Is a directory",
            id="a folder for a file",
        ),
    ],
)
def test_a_wrong_value_is_one_line_that_names_its_place(
    flags: Mapping[str, object], environ: Mapping[str, str], line: str
) -> None:
    Path("file").touch()
    with pytest.raises(ConfigError) as caught:
        load_config(flags, environ)
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("content", "line"),
    [
        pytest.param(b'listen = "a"', f"f.toml: listen: {ADDRESS} 'a'", id="wrong value"),
        pytest.param(b"listen = 8080", f"f.toml: listen: {ADDRESS} 8080", id="wrong type"),
        pytest.param(
            b"access-log = 1",
            "f.toml: access-log: expected true or false, got 1",
            id="a number for a boolean",
        ),
        pytest.param(
            b"cors_origins = [1]", f"f.toml: cors_origins: {ORIGINS} [1]", id="a list of numbers"
        ),
        pytest.param(
            b"runs_max_mib = true",
            "f.toml: runs_max_mib: expected a whole number from 0 to 1048576, got true",
            id="a boolean for a number",
        ),
        pytest.param(
            b"data_dir = 1", "f.toml: data_dir: expected the path of a folder, got 1", id="folder"
        ),
        pytest.param(
            b'listen = ["a", 1, true, 1.5, 2020-01-01, 07:00:00]',
            f'f.toml: listen: {ADDRESS} ["a", 1, true, 1.5, 2020-01-01, 07:00:00…',
            id="a long list, as TOML has it",
        ),
        pytest.param(
            b"[log-format]\njson = inf",
            "f.toml: log-format: expected text or json, got {json = inf}",
            id="a table",
        ),
        pytest.param(
            b"runs_max_mib = 0x" + b"f" * 5000,
            "f.toml: runs_max_mib: expected a whole number from 0 to 1048576, got 0x"
            + "f" * 38
            + "…",
            id="a number that Python writes in hexadecimal only",
        ),
        pytest.param(
            b"runs_max_mib = " + b"1" * 5000,
            "f.toml: expected TOML, got a number of too many digits",
            id="a number that Python does not read",
        ),
        pytest.param(
            b'data_dir = "\\u0000"',
            "f.toml: data_dir: expected the path of a folder, got '\\x00'",
            id="NUL",
        ),
        pytest.param(
            b"listn = 1",
            "f.toml: unknown key 'listn', expected one of listen, grpc_listen, data_dir, "
            "jwt_issuer, jwt_audience, jwt_jwks_url, cors_origins, log_format, access_log, "
            "script_workers, script_queue, script_fetch_deny, script_fetch_allow, "
            "script_dns_servers, runs_keep_days, runs_max_mib",
            id="unknown key",
        ),
        pytest.param(
            b'grpc-listen = "a:1"\ngrpc_listen = "a:2"',
            "f.toml: grpc_listen is given twice, with - and with _",
            id="both spellings",
        ),
        pytest.param(
            b"listen = ",
            "f.toml: expected TOML: Invalid value (at end of document)",
            id="malformed",
        ),
        pytest.param(b"a = '\xff'", "f.toml: expected UTF-8, got b'\\xff'", id="not UTF-8"),
        pytest.param(
            b"a = " + b"[" * 5000,
            "f.toml: expected TOML, got values nested too deep",
            id="nested too deep",
        ),
        pytest.param(
            b"#" * (1 << 20) + b"#", "f.toml: expected at most 1048576 bytes of TOML", id="too long"
        ),
    ],
)
def test_a_wrong_file_is_one_line_that_names_the_key(content: bytes, line: str) -> None:
    Path("f.toml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config({"config": "f.toml"}, {})
    assert str(caught.value) == line


def test_what_is_overridden_need_not_be_right() -> None:
    assert load_config({"listen": "a:1"}, {"ACTIONS_LISTEN": "wrong"}).config.listen == "a:1"


def test_the_effective_settings_are_written_as_a_configuration_file() -> None:
    loaded = load_config(
        {"data_dir": 'a "folder"', "access_log": False, "cors_origins": "https://a,https://b"}, {}
    )
    text = as_toml(loaded)
    assert text.splitlines() == [
        'listen = "127.0.0.1:8080"  # default',
        'grpc_listen = "127.0.0.1:50051"  # default',
        'data_dir = "a \\"folder\\""  # --data-dir',
        'jwt_issuer = ""  # default',
        "jwt_audience = []  # default",
        'jwt_jwks_url = ""  # default',
        'cors_origins = ["https://a", "https://b"]  # --cors-origins',
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
