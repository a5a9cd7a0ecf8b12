"""Which URLs are fetched."""

import pytest

from server.urls import is_https, may_be_fetched


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("https://issuer.example", True, id="https"),
        pytest.param("https://issuer.example:8443/keys?v=1", True, id="a port, a path, a query"),
        pytest.param("https://[2001:db8::1]/keys", True, id="IPv6"),
        pytest.param("HTTPS://issuer.example", True, id="capitals"),
        pytest.param("http://issuer.example", False, id="http over the network"),
        pytest.param("http://10.0.0.1/keys", False, id="http, a private network"),
        pytest.param("http://localhost:1/keys", True, id="http, this machine by name"),
        pytest.param("http://127.9.9.9/keys", True, id="http, this machine by IPv4"),
        pytest.param("http://[::1]:1/keys", True, id="http, this machine by IPv6"),
        pytest.param("http://localhost.example", False, id="a name that only starts alike"),
        pytest.param("http://127.0.0.1.example", False, id="a name that starts as an address"),
        pytest.param("http://localhost@issuer.example", False, id="credentials before the host"),
        pytest.param("https://a:b@issuer.example", False, id="credentials"),
        pytest.param("https://issuer.example/#keys", False, id="a fragment"),
        pytest.param("https://issuer.example:port", False, id="a port that is no number"),
        pytest.param("https://issuer.example:65536", False, id="a port out of range"),
        pytest.param("https://[::g]", False, id="no IPv6"),
        pytest.param("https://", False, id="no host"),
        pytest.param("https:issuer.example", False, id="no slashes"),
        pytest.param("file:///etc/passwd", False, id="a file"),
        pytest.param("issuer.example", False, id="no scheme"),
        pytest.param("", False, id="nothing"),
        pytest.param("https://issuer.example/a b", False, id="a space"),
        pytest.param("https://issuer.example/\n", False, id="a line break"),
        pytest.param("https://issuer.\u00e9xample", False, id="no ASCII"),
        pytest.param("https://issuer.example/" + "x" * 2026, False, id="too long"),
    ],
)
def test_a_url_is_fetched_where_nobody_on_the_way_can_answer(url: str, expected: bool) -> None:
    assert may_be_fetched(url) is expected


def test_http_on_this_machine_is_not_https() -> None:
    assert not is_https("http://localhost")
