"""Which client a gRPC call of a trusted proxy has."""

from server.rpc.clients import ForwardedClients
from server.rpc.metadata import Pairs
from tests.support.layered import Indexed
from tests.support.tables import cases
from transcoder.http.forwarded import TrustedProxies

SENT: Pairs = (("x-a", "1"), ("x-forwarded-for", "192.0.2.1"))
V6: Pairs = (("x-forwarded-for", "2001:db8::1"),)
TWICE: Pairs = (("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "10.0.0.2"))
CLIENTS = ForwardedClients(TrustedProxies(["10.0.0.0/8", "fd00::/8", "unix"]))


@cases(
    "peer, metadata, expected",
    {
        "a trusted proxy": ("ipv4:10.0.0.1:4000", SENT, "ipv4:192.0.2.1:0"),
        "one of IPv6": ("ipv6:%5Bfd00::1%5D:4000", SENT, "ipv4:192.0.2.1:0"),
        "a client of IPv6": ("ipv4:10.0.0.1:4000", V6, "ipv6:%5B2001:db8::1%5D:0"),
        "by two headers": ("ipv4:10.0.0.1:4000", TWICE, "ipv4:192.0.2.1:0"),
        "at a unix socket": ("unix:", SENT, "ipv4:192.0.2.1:0"),
        "at a unix socket with a name": ("unix:/run/a:1", SENT, "ipv4:192.0.2.1:0"),
        "without a header": ("ipv4:10.0.0.1:4000", (), "ipv4:10.0.0.1:4000"),
        "not trusted": ("ipv4:192.0.2.9:4000", SENT, "ipv4:192.0.2.9:4000"),
        "neither": ("unix-abstract:a", SENT, "unix-abstract:a"),
    },
)
def test_the_header_of_trusted_proxies_names_the_client(
    peer: str, metadata: Pairs, expected: str
) -> None:
    assert CLIENTS.client_of(peer, metadata) == expected


def test_a_call_over_http_has_its_client_already() -> None:
    headers = Indexed({"x-forwarded-for": "192.0.2.1"})
    assert CLIENTS.client_of("ipv4:10.0.0.1:4000", headers) == "ipv4:10.0.0.1:4000"
