import pytest
from multidict import CIMultiDict

from transcoder.errors import SchemaError
from transcoder.http.cors import Cors

APP = "https://app.example"
FIXED = "grpc-status, grpc-message, grpc-status-details-bin, x-request-id, location, content-length"


def preflight(cors: Cors, origin: str, method: str, **more: str) -> dict[str, str]:
    headers = CIMultiDict({"Origin": origin, "Access-Control-Request-Method": method})
    headers.update({name.replace("_", "-"): value for name, value in more.items()})
    return dict(cors.preflight_headers(headers))


@pytest.mark.parametrize(
    ("origins", "origin", "expected"),
    [
        pytest.param(
            [APP, "http://localhost:5173"],
            "http://localhost:5173",
            {
                "Vary": "Origin",
                "Access-Control-Allow-Origin": "http://localhost:5173",
                "Access-Control-Expose-Headers": FIXED,
                "Access-Control-Allow-Credentials": "true",
            },
            id="listed",
        ),
        pytest.param([APP], "https://evil.example", {"Vary": "Origin"}, id="not listed"),
        pytest.param([APP], "https://app.example.evil", {"Vary": "Origin"}, id="listed and more"),
        pytest.param([APP], "http://app.example", {"Vary": "Origin"}, id="other scheme"),
        pytest.param([APP], "https://app.example:8443", {"Vary": "Origin"}, id="other port"),
        pytest.param([APP], "null", {"Vary": "Origin"}, id="opaque"),
        pytest.param([APP], None, {"Vary": "Origin"}, id="no origin"),
        pytest.param(
            ["*"],
            "https://any.example",
            {
                "Vary": "Origin",
                "Access-Control-Allow-Origin": "https://any.example",
                "Access-Control-Expose-Headers": FIXED,
            },
            id="any origin is echoed, without credentials",
        ),
        pytest.param(
            ["*"],
            "null",
            {
                "Vary": "Origin",
                "Access-Control-Allow-Origin": "null",
                "Access-Control-Expose-Headers": FIXED,
            },
            id="any, opaque",
        ),
        pytest.param(["*"], "<script>", {"Vary": "Origin"}, id="any, not an origin"),
        pytest.param(["*"], None, {"Vary": "Origin"}, id="any, no origin"),
        pytest.param([], APP, {}, id="none configured"),
        pytest.param([], None, {}, id="none configured, no origin"),
    ],
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


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param("x-a, x-b", "x-a, x-b", id="names"),
        pytest.param("x-a,,\tx-b , ", "x-a, x-b", id="empty names"),
        pytest.param("x a, x-b, <c>, d(e)", "x-b", id="not names"),
        pytest.param("x-ä", None, id="not ASCII"),
        pytest.param("", None, id="none"),
    ],
)
def test_a_preflight_allows_the_headers_asked_that_are_names(
    asked: str, expected: str | None
) -> None:
    headers = preflight(Cors(["*"]), APP, "POST", Access_Control_Request_Headers=asked)
    assert headers.get("Access-Control-Allow-Headers") == expected


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        pytest.param("DELETE", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS", id="usual"),
        pytest.param("LOCK", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, LOCK", id="custom"),
        pytest.param("A B", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS", id="not a method"),
    ],
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


@pytest.mark.parametrize(
    "origin",
    [
        pytest.param("https://app.example", id="host"),
        pytest.param("http://localhost:5173", id="port"),
        pytest.param("http://[::1]:8080", id="IPv6"),
        pytest.param("http://192.168.1.2", id="IPv4"),
        pytest.param("https://xn--bcher-kva.example", id="punycode"),
        pytest.param("chrome-extension://abcdefgh", id="extension"),
        pytest.param("https://app.example:80", id="the other scheme's port"),
    ],
)
def test_an_origin_as_a_browser_sends_it_is_accepted(origin: str) -> None:
    headers = dict(Cors([origin]).response_headers(origin, []))
    assert headers["Access-Control-Allow-Origin"] == origin


SHAPE = (
    "CORS origin: expected scheme://host or scheme://host:port in lower case, "
    "without a path or a final slash, got "
)


@pytest.mark.parametrize(
    ("origins", "expected"),
    [
        pytest.param([APP, "https://b.example/"], f"{SHAPE}'https://b.example/'", id="final slash"),
        pytest.param(["https://b.example/x"], f"{SHAPE}'https://b.example/x'", id="path"),
        pytest.param(["app.example"], f"{SHAPE}'app.example'", id="no scheme"),
        pytest.param(["https://App.example"], f"{SHAPE}'https://App.example'", id="upper case"),
        pytest.param(["https://u:p@b.example"], f"{SHAPE}'https://u:p@b.example'", id="password"),
        pytest.param(["https://*.example"], f"{SHAPE}'https://*.example'", id="pattern"),
        pytest.param(["https://bücher.example"], f"{SHAPE}'https://bücher.example'", id="unicode"),
        pytest.param(["https://"], f"{SHAPE}'https://'", id="no host"),
        pytest.param(["https://b.example\n"], f"{SHAPE}'https://b.example\\n'", id="line break"),
        pytest.param(["null"], f"{SHAPE}'null'", id="opaque, which any page can be"),
        pytest.param([""], f"{SHAPE}''", id="empty"),
        pytest.param(
            ["https://b.example:443"],
            "CORS origin 'https://b.example:443': browsers leave out port 443 of https, "
            "so it would never match",
            id="default port",
        ),
        pytest.param(
            ["*", APP],
            "CORS origins: '*' allows any and stands alone, got 2 origins",
            id="any, and one more",
        ),
    ],
)
def test_an_origin_that_no_browser_sends_is_refused_by_name(
    origins: list[str], expected: str
) -> None:
    with pytest.raises(SchemaError) as caught:
        Cors(origins)
    assert str(caught.value) == expected


def test_a_text_is_no_list_of_origins() -> None:
    with pytest.raises(SchemaError) as caught:
        Cors(APP)
    assert str(caught.value) == f"CORS origins: expected a list of them, got '{APP}'"


LISTED = {"Origin": "https://app.example", "Host": "api.example"}
FOREIGN = {"Origin": "https://evil.example", "Host": "api.example"}
OWN = {"Origin": "https://api.example", "Host": "api.example"}


@pytest.mark.parametrize(
    ("verb", "headers", "refused"),
    [
        pytest.param("POST", {"Host": "api.example"}, False, id="not a browser"),
        pytest.param("POST", LISTED, False, id="listed"),
        pytest.param("POST", FOREIGN, True, id="foreign"),
        pytest.param("POST", FOREIGN | {"Origin": "null"}, True, id="opaque"),
        pytest.param("GET", FOREIGN, False, id="safe method"),
        pytest.param("OPTIONS", FOREIGN, False, id="preflight"),
        pytest.param("LOCK", FOREIGN, True, id="custom method"),
        pytest.param("POST", OWN, False, id="our own page"),
        pytest.param("POST", LISTED | {"Sec-Fetch-Site": "cross-site"}, False, id="listed, says"),
        pytest.param("POST", OWN | {"Sec-Fetch-Site": "same-site"}, True, id="another subdomain"),
        pytest.param("POST", FOREIGN | {"Sec-Fetch-Site": "same-origin"}, False, id="proxied"),
        pytest.param("POST", {"Sec-Fetch-Site": "none"}, False, id="the user alone"),
        pytest.param("POST", {"Sec-Fetch-Site": "cross-site"}, True, id="without an origin"),
    ],
)
def test_a_foreign_page_may_not_change_anything(
    verb: str, headers: dict[str, str], refused: bool
) -> None:
    assert Cors(["https://app.example"]).refuses(verb, headers.get("Origin"), headers) is refused


def test_any_origin_means_any_page() -> None:
    assert Cors(["*"]).refuses("POST", FOREIGN.get("Origin"), FOREIGN) is False


def test_without_origins_every_other_site_is_foreign() -> None:
    assert Cors([]).refuses("POST", LISTED.get("Origin"), LISTED) is True


@pytest.mark.parametrize(
    ("origin", "is_kept_out"),
    [
        pytest.param("https://page.example", True, id="a page"),
        pytest.param("http://[::1]:3000", True, id="an address"),
        pytest.param("null", True, id="a page without an origin"),
        pytest.param("https://app.example", False, id="one of ours"),
        pytest.param("https://a.example\nb", False, id="a line break"),
        pytest.param("secret", False, id="no origin"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_a_page_is_kept_out_by_an_origin_as_browsers_send_it(
    origin: str, is_kept_out: bool
) -> None:
    assert Cors(["https://app.example"]).keeps_out(origin, {"Origin": origin}) is is_kept_out
