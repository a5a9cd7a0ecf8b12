"""Whom X-Forwarded-For is believed, and which of its addresses is the client."""

from collections.abc import Sequence

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from tests.support.raised import misconfigured
from tests.support.tables import cases
from transcoder.errors import InvalidHeader
from transcoder.http.forwarded import TrustedProxies, forwarded_for
from transcoder.http.headers import ForwardedMetadata, HttpMetadata

PROXY = ("10.0.0.1", 4000)
PROXIES = TrustedProxies(["10.0.0.0/8", "2001:db8::/32"])


@cases(
    "entries, peername, expected",
    {
        "in the network": (["10.0.0.0/8"], ("10.9.9.9", 1), True),
        "outside of it": (["10.0.0.0/8"], ("11.0.0.0", 1), False),
        "the address": (["192.0.2.1"], ("192.0.2.1", 1), True),
        "a network by one of its addresses": (["10.1.2.3/8"], ("10.9.9.9", 1), True),
        "IPv6": (["2001:db8::/32"], ("2001:db8::1", 1, 0, 0), True),
        "IPv6 of an interface": (["fe80::/10"], ("fe80::1%eth0", 1, 0, 2), True),
        "IPv4 at a socket of IPv6": (["10.0.0.0/8"], ("::ffff:10.0.0.1", 1, 0, 0), True),
        "unix": (["unix"], "", True),
        "unix, without a name": (["unix"], None, True),
        "unix is no network": (["unix"], ("10.0.0.1", 1), False),
        "a network is not unix": (["10.0.0.0/8"], "", False),
        "no address": (["10.0.0.0/8"], ("localhost", 1), False),
        "no entry": ([], ("10.0.0.1", 1), False),
    },
)
def test_a_connection_is_trusted_by_its_address(
    entries: Sequence[str], peername: object, expected: bool
) -> None:
    proxies = TrustedProxies(entries)
    assert proxies.trusts(peername) is expected
    assert proxies.trusts(peername) is expected  # from the cache, too


@cases(
    "values, expected",
    {
        "one": (["192.0.2.1"], ("192.0.2.1", 0)),
        "the last is the client": (["198.51.100.1, 192.0.2.1"], ("192.0.2.1", 0)),
        "behind a trusted one": (["192.0.2.1, 10.0.0.2"], ("192.0.2.1", 0)),
        "behind two trusted ones": (["192.0.2.1,10.0.0.3 ,10.0.0.2"], ("192.0.2.1", 0)),
        "what a client says of itself": (["10.0.0.9, 192.0.2.1, 10.0.0.2"], ("192.0.2.1", 0)),
        "several headers": (["198.51.100.1", "192.0.2.1", "10.0.0.2"], ("192.0.2.1", 0)),
        "all are trusted": (["10.0.0.3, 10.0.0.2"], ("10.0.0.3", 0)),
        "with a port": (["192.0.2.1:5000"], ("192.0.2.1", 5000)),
        "IPv6": (["2001:DB8:0::1, ::1"], ("::1", 0)),
        "IPv6 in brackets": (["[::1]"], ("::1", 0)),
        "IPv6 with a port": (["[::1]:65535"], ("::1", 65535)),
        "IPv4 as IPv6": (["::ffff:192.0.2.1"], ("192.0.2.1", 0)),
        "no address behind a trusted one": (["unknown, 10.0.0.2"], ("10.0.0.2", 0)),
        "nothing behind a trusted one": ([", 10.0.0.2"], ("10.0.0.2", 0)),
        "no address": (["unknown"], PROXY),
        "empty": ([""], PROXY),
        "a comma at the end": (["192.0.2.1,"], PROXY),
        "a name": (["localhost"], PROXY),
        "port too large": (["192.0.2.1:65536"], PROXY),
        "port of six digits": (["192.0.2.1:000080"], PROXY),
        "port of other digits": (["192.0.2.1:\u0661"], PROXY),
        "no port behind its colon": (["192.0.2.1:"], ("192.0.2.1", 0)),
        "text behind the bracket": (["[::1]80"], PROXY),
        "with an interface": (["fe80::1%eth0"], PROXY),
        "quoted": (['"192.0.2.1"'], PROXY),
        "leading zeros": (["192.0.2.010"], PROXY),
    },
)
def test_the_client_is_the_last_address_that_no_proxy_has(
    values: Sequence[str], expected: object
) -> None:
    assert PROXIES.client_of(PROXY, values) == expected
    assert PROXIES.client_of(PROXY, values) == expected  # from the cache, too


def test_of_many_trusted_addresses_some_are_read() -> None:
    value = ", ".join(f"10.0.1.{number}" for number in range(250))
    assert PROXIES.client_of(PROXY, [value]) == ("10.0.1.218", 0)


ADDRESSES = st.ip_addresses().map(str)
PARTS = st.one_of(ADDRESSES, st.text(st.characters(exclude_characters=","), max_size=20))


@given(st.lists(PARTS, max_size=8), st.ip_addresses(v=4, network="192.0.2.0/24").map(str))
def test_no_client_can_change_what_the_proxy_adds(sent: list[str], client: str) -> None:
    assert PROXIES.client_of(PROXY, [*sent, client]) == (client, 0)
    assert PROXIES.client_of(PROXY, [", ".join([*sent, client, "10.0.0.2"])]) == (client, 0)


@given(st.lists(st.text(max_size=300), max_size=8))
def test_any_header_has_a_client(values: list[str]) -> None:
    client = PROXIES.client_of(PROXY, values)
    assert isinstance(client, tuple)
    assert len(client) == 2


@cases(
    "peername, values, expected",
    {
        "the proxy comes last": (PROXY, ["192.0.2.1"], "192.0.2.1, 10.0.0.1"),
        "several headers": (PROXY, ["192.0.2.1", "a,b"], "192.0.2.1, a,b, 10.0.0.1"),
        "no header": (PROXY, [], "10.0.0.1"),
        "unix has no address": ("", ["192.0.2.1"], "192.0.2.1"),
    },
)
def test_all_hops_are_those_sent_and_the_proxy(
    peername: object, values: Sequence[str], expected: str
) -> None:
    assert forwarded_for(peername, values) == expected


@cases("entry", {"a name": "proxy.internal", "too long": "10.0.0.0/33", "empty": ""})
def test_what_is_no_network_is_refused(entry: str) -> None:
    text = f"trusted proxy {entry!r}: expected a network (CIDR), an address or 'unix'"
    with misconfigured(text):
        TrustedProxies(["10.0.0.0/8", entry])


def received(*headers: tuple[str, str]) -> HttpMetadata:
    return HttpMetadata(CIMultiDict(headers), request_id="r1")


@cases(
    "headers, hops, expected",
    {
        "in place of the header": (
            [("X-Forwarded-For", "a"), ("X-B", "1"), ("X-Forwarded-For", "c")],
            "192.0.2.1, 10.0.0.1",
            [("x-b", "1"), ("x-request-id", "r1"), ("x-forwarded-for", "192.0.2.1, 10.0.0.1")],
        ),
        "in place of the prefixed one": (
            [("Grpc-Metadata-X-Forwarded-For", "a")],
            "10.0.0.1",
            [("x-request-id", "r1"), ("x-forwarded-for", "10.0.0.1")],
        ),
        "held back by Connection": (
            [("Connection", "X-Forwarded-For"), ("X-Forwarded-For", "192.0.2.1")],
            "192.0.2.1, 10.0.0.1",
            [("x-request-id", "r1"), ("x-forwarded-for", "192.0.2.1, 10.0.0.1")],
        ),
        "no hop": ([("Grpc-Metadata-X-Forwarded-For", "a")], "", [("x-request-id", "r1")]),
        "not ASCII": ([], "caf\u00e9", [("x-request-id", "r1")]),
    },
)
def test_metadata_has_the_hops_and_nothing_else_by_that_name(
    headers: list[tuple[str, str]], hops: str, expected: list[tuple[str, str]]
) -> None:
    assert list(ForwardedMetadata(received(*headers), hops)) == expected


def test_metadata_is_looked_up_by_name() -> None:
    metadata = ForwardedMetadata(received(("X-Forwarded-For", "a"), ("X-B", "1")), "192.0.2.1")
    assert metadata.get("x-forwarded-for") == "192.0.2.1"
    assert metadata.get("x-b") == "1"
    assert ForwardedMetadata(received(), "").get("x-forwarded-for", "none") == "none"


def test_hops_that_are_not_valid_as_metadata_fail_when_they_are_read() -> None:
    with pytest.raises(InvalidHeader) as refused:
        ForwardedMetadata(received(), "caf\u00e9").get("x-forwarded-for")
    assert refused.value.code is grpc.StatusCode.INVALID_ARGUMENT
