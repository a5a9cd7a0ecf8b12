"""HTTP requests that led to calls."""

from typing import Any

from server.bridge.http_requests import http_request_of
from tests.support.tables import cases


@cases(
    "headers, expected",
    {
        "none": (None, {}),
        "no object": ([1], {}),
        "names in any case": ({"x-forwarded-FOR": ["a", "b"]}, {"X-Forwarded-For": ["a", "b"]}),
        "a text": ({"Accept": "x"}, {"Accept": ["x"]}),
        "values of a session": ({"accept": {"values": ["x"]}}, {"Accept": ["x"]}),
        "no texts": ({"accept": [1], "b": {"values": None}}, {}),
        "credentials": (
            {name: ["x"] for name in ("authorization", "cookie", "proxy-authorization")}, {},
        ),
    },
)  # fmt: skip
def test_headers_have_canonical_names_and_no_credentials(headers: Any, expected: Any) -> None:
    assert http_request_of({"headers": headers}, {}) == {"headers": expected}


def test_the_browser_is_seen_before_the_login() -> None:
    user_agent: dict[str, Any] = {"ip": "192.0.2.7", "header": {"a": {"values": ["browser"]}}}
    found = http_request_of({"headers": {"a": ["login"]}}, user_agent)
    assert found == {"headers": {"A": ["browser"]}, "remoteAddr": "192.0.2.7"}
