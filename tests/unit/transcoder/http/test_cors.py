from multidict import CIMultiDict

from tests.support.raised import misconfigured
from tests.support.tables import cases
from transcoder.http.cors import Cors

APP = "https://app.example"
FIXED = "grpc-status, grpc-message, grpc-status-details-bin, x-request-id, location, content-length"


def preflight(cors: Cors, origin: str, method: str, **more: str) -> dict[str, str]:
    headers = CIMultiDict({"Origin": origin, "Access-Control-Request-Method": method})
    headers.update({name.replace("_", "-"): value for name, value in more.items()})
    return dict(cors.preflight_headers(headers))


@cases(
    "origins, origin, expected",
    {
        "listed": (
            [APP, "http://localhost:5173"],
            "http://localhost:5173",
            {
                "Vary": "Origin",
                "Access-Control-Allow-Origin": "http://localhost:5173",
                "Access-Control-Expose-Headers": FIXED,
                "Access-Control-Allow-Credentials": "true",
            },
        ),
        "not listed": ([APP], "https://evil.example", {"Vary": "Origin"}),
        "listed and more": ([APP], "https://app.example.evil", {"Vary": "Origin"}),
        "other scheme": ([APP], "http://app.example", {"Vary": "Origin"}),
        "other port": ([APP], "https://app.example:8443", {"Vary": "Origin"}),
        "opaque": ([APP], "null", {"Vary": "Origin"}),
        "no origin": ([APP], None, {"Vary": "Origin"}),
        "any origin is echoed, without credentials": (
            ["*"],
            "https://any.example",
            {
                "Vary": "Origin",
                "Access-Control-Allow-Origin": "https://any.example",
                "Access-Control-Expose-Headers": FIXED,
            },
        ),
        "any, opaque": (
            ["*"],
            "null",
            {
                "Vary": "Origin",
                "Access-Control-Allow-Origin": "null",
                "Access-Control-Expose-Headers": FIXED,
            },
        ),
        "any, not an origin": (["*"], "<script>", {"Vary": "Origin"}),
        "any, no origin": (["*"], None, {"Vary": "Origin"}),
        "none configured": ([], APP, {}),
        "none configured, no origin": ([], None, {}),
    },
)
def test_an_answer_names_an_origin_only_when_it_is_allowed(
    origins: list[str], origin: str | None, expected: dict[str, str]
) -> None:
    assert dict(Cors(origins).response_headers(origin, [])) == expected


def test_an_answer_exposes_the_metadata_it_carries() -> None:
    sent = [
        ("Content-Type", "application/json"),
        ("X-Request-Id", "r1"),
        ("X-Trace", "1"),
        ("x-trace", "2"),
        ("grpc-trailer-x-cost", "3"),
        ("Set-Cookie", "a=b"),
        ("Access-Control-Allow-Methods", "GET"),
        ("Date", "now"),
    ]
    headers = dict(Cors([APP]).response_headers(APP, sent))
    assert headers["Access-Control-Expose-Headers"] == f"{FIXED}, x-trace, grpc-trailer-x-cost"


def test_a_preflight_of_a_grpc_web_client_is_allowed() -> None:
    asked = "authorization,content-type,grpc-timeout,x-grpc-web,x-user-agent,x-zitadel-orgid"
    assert preflight(Cors([APP]), APP, "POST", Access_Control_Request_Headers=asked) == {
        "Vary": "Access-Control-Request-Method, Access-Control-Request-Headers",
        "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
        "Access-Control-Allow-Headers": (
            "authorization, content-type, grpc-timeout, x-grpc-web, x-user-agent, x-zitadel-orgid"
        ),
        "Access-Control-Max-Age": "7200",
    }


@cases(
    "asked, expected",
    {
        "names": ("x-a, x-b", "x-a, x-b"),
        "empty names": ("x-a,,\tx-b , ", "x-a, x-b"),
        "not names": ("x a, x-b, <c>, d(e)", "x-b"),
        "not ASCII": ("x-ä", None),
        "none": ("", None),
    },
)
def test_a_preflight_allows_the_headers_asked_that_are_names(
    asked: str, expected: str | None
) -> None:
    headers = preflight(Cors(["*"]), APP, "POST", Access_Control_Request_Headers=asked)
    assert headers.get("Access-Control-Allow-Headers") == expected


@cases(
    "method, expected",
    {
        "usual": ("DELETE", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
        "custom": ("LOCK", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, LOCK"),
        "not a method": ("A B", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
    },
)
def test_a_preflight_allows_the_methods_of_http_rules(method: str, expected: str) -> None:
    assert preflight(Cors([APP]), APP, method)["Access-Control-Allow-Methods"] == expected


def test_a_preflight_into_a_private_network_is_allowed_with_the_origin() -> None:
    headers = preflight(Cors([APP]), APP, "POST", Access_Control_Request_Private_Network="true")
    assert headers["Access-Control-Allow-Private-Network"] == "true"


def test_a_preflight_of_a_foreign_origin_gets_no_cors_headers() -> None:
    foreign = "https://evil.example"
    asked = {
        "Access_Control_Request_Headers": "authorization",
        "Access_Control_Request_Private_Network": "true",
    }
    assert preflight(Cors([APP]), foreign, "POST", **asked) == {
        "Vary": "Access-Control-Request-Method, Access-Control-Request-Headers"
    }


def test_a_preflight_gets_no_cors_headers_when_no_origin_is_configured() -> None:
    assert preflight(Cors([]), APP, "POST") == {}


def test_how_long_a_preflight_is_remembered_can_be_chosen() -> None:
    cors = Cors([APP], preflight_max_age_s=60)
    assert preflight(cors, APP, "POST")["Access-Control-Max-Age"] == "60"


@cases(
    "origin",
    {
        "host": "https://app.example",
        "port": "http://localhost:5173",
        "IPv6": "http://[::1]:8080",
        "IPv4": "http://192.168.1.2",
        "punycode": "https://xn--bcher-kva.example",
        "extension": "chrome-extension://abcdefgh",
        "the other scheme's port": "https://app.example:80",
    },
)
def test_an_origin_as_a_browser_sends_it_is_accepted(origin: str) -> None:
    headers = dict(Cors([origin]).response_headers(origin, []))
    assert headers["Access-Control-Allow-Origin"] == origin


SHAPE = (
    "CORS origin: expected scheme://host or scheme://host:port in lower case, "
    "without a path or a final slash, got "
)


@cases(
    "origins, expected",
    {
        "final slash": ([APP, "https://b.example/"], f"{SHAPE}'https://b.example/'"),
        "path": (["https://b.example/x"], f"{SHAPE}'https://b.example/x'"),
        "no scheme": (["app.example"], f"{SHAPE}'app.example'"),
        "upper case": (["https://App.example"], f"{SHAPE}'https://App.example'"),
        "password": (["https://u:p@b.example"], f"{SHAPE}'https://u:p@b.example'"),
        "pattern": (["https://*.example"], f"{SHAPE}'https://*.example'"),
        "unicode": (["https://bücher.example"], f"{SHAPE}'https://bücher.example'"),
        "no host": (["https://"], f"{SHAPE}'https://'"),
        "line break": (["https://b.example\n"], f"{SHAPE}'https://b.example\\n'"),
        "opaque, which any page can be": (["null"], f"{SHAPE}'null'"),
        "empty": ([""], f"{SHAPE}''"),
        "default port": (
            ["https://b.example:443"],
            "CORS origin 'https://b.example:443': browsers leave out port 443 of https, "
            "so it would never match",
        ),
        "any, and one more": (
            ["*", APP],
            "CORS origins: '*' allows any and stands alone, got 2 origins",
        ),
    },
)
def test_an_origin_that_no_browser_sends_is_refused_by_name(
    origins: list[str], expected: str
) -> None:
    with misconfigured(expected):
        Cors(origins)


def test_a_text_is_no_list_of_origins() -> None:
    with misconfigured(f"CORS origins: expected a list of them, got '{APP}'"):
        Cors(APP)


LISTED = {"Origin": "https://app.example", "Host": "api.example"}
FOREIGN = {"Origin": "https://evil.example", "Host": "api.example"}
OWN = {"Origin": "https://api.example", "Host": "api.example"}


@cases(
    "verb, headers, refused",
    {
        "not a browser": ("POST", {"Host": "api.example"}, False),
        "listed": ("POST", LISTED, False),
        "foreign": ("POST", FOREIGN, True),
        "opaque": ("POST", FOREIGN | {"Origin": "null"}, True),
        "safe method": ("GET", FOREIGN, False),
        "preflight": ("OPTIONS", FOREIGN, False),
        "custom method": ("LOCK", FOREIGN, True),
        "our own page": ("POST", OWN, False),
        "listed, says": ("POST", LISTED | {"Sec-Fetch-Site": "cross-site"}, False),
        "another subdomain": ("POST", OWN | {"Sec-Fetch-Site": "same-site"}, True),
        "proxied": ("POST", FOREIGN | {"Sec-Fetch-Site": "same-origin"}, False),
        "the user alone": ("POST", {"Sec-Fetch-Site": "none"}, False),
        "without an origin": ("POST", {"Sec-Fetch-Site": "cross-site"}, True),
    },
)
def test_a_foreign_page_may_not_change_anything(
    verb: str, headers: dict[str, str], refused: bool
) -> None:
    assert Cors(["https://app.example"]).refuses(verb, headers.get("Origin"), headers) is refused


def test_any_origin_means_any_page() -> None:
    assert Cors(["*"]).refuses("POST", FOREIGN.get("Origin"), FOREIGN) is False


def test_without_origins_every_other_site_is_foreign() -> None:
    assert Cors([]).refuses("POST", LISTED.get("Origin"), LISTED) is True


@cases(
    "origin, is_kept_out",
    {
        "a page": ("https://page.example", True),
        "an address": ("http://[::1]:3000", True),
        "a page without an origin": ("null", True),
        "one of ours": ("https://app.example", False),
        "a line break": ("https://a.example\nb", False),
        "no origin": ("secret", False),
        "nothing": ("", False),
    },
)
def test_a_page_is_kept_out_by_an_origin_as_browsers_send_it(
    origin: str, is_kept_out: bool
) -> None:
    assert Cors(["https://app.example"]).keeps_out(origin, {"Origin": origin}) is is_kept_out
