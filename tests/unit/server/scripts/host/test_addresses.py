import pytest

from server.scripts.host.addresses import Policy
from tests.support.tables import cases


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.254"),  # noqa: S104  texts
        *("169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1"),
        *("192.168.1.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "2001::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1"),
        *("::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:0:10.0.0.1"),
        *("64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::"),
        *("127.1", "2130706433", "0x7f000001", "nonsense"),
    ],
)
def test_an_address_that_is_not_public_is_denied(address: str) -> None:
    assert Policy().denies_address(address)


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "172.32.0.1", "192.0.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"],
)
def test_a_public_address_is_not_denied(address: str) -> None:
    assert not Policy().denies_address(address)


@cases(
    "deny, allow, host, addresses, expected",
    {
        "public": ([], [], "a.example", ["1.1.1.1"], False),
        "one of two": ([], [], "a.example", ["1.1.1.1", "127.0.0.1"], True),
        "denied network": (["1.1.1.0/24"], [], "a.example", ["1.1.1.1"], True),
        "denied address": (["1.1.1.1"], [], "a.example", ["1.1.1.1"], True),
        "in another form": (["1.1.1.1"], [], "a.example", ["::ffff:1.1.1.1"], True),
        "denied name": (["a.example"], [], "A.example.", ["1.1.1.1"], True),
        "exact name only": (["a.example"], [], "b.a.example", ["1.1.1.1"], False),
        "allowed network": ([], ["10.0.0.0/8"], "a.example", ["10.0.0.1"], False),
        "allowed name": ([], ["a.example"], "a.example", ["10.0.0.1"], False),
        "allowed wins": (["a.example"], ["a.example"], "a.example", [], False),
        "one of two allowed": (["::/0"], ["10.0.0.1"], "a", ["10.0.0.1", "10.0.0.2"], True),
    },
)
def test_lists_are_kept(
    deny: list[str], allow: list[str], host: str, addresses: list[str], expected: bool
) -> None:
    assert Policy(deny=deny, allow=allow).denies(host, addresses) == expected


@pytest.mark.parametrize("entry", ["10.0.0.0/33", "a b", "", ".", "host/8"])
def test_an_invalid_entry_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match="expected CIDR, IP or host name, got"):
        Policy(deny=[entry])
