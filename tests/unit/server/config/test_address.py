"""Addresses of listeners are read and written alike."""

import pytest

from server.config import Address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        pytest.param("localhost:1", Address("localhost", 1), id="a name"),
        pytest.param("[::1]:2", Address("::1", 2), id="IPv6 without its brackets"),
    ],
)
def test_an_address_is_written_as_it_was_read(text: str, address: Address) -> None:
    assert Address.parse(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    ("listening", "reachable"),
    [
        pytest.param("0.0.0.0:1", "127.0.0.1:1", id="any IPv4"),
        pytest.param("[::]:1", "[::1]:1", id="any IPv6"),
        pytest.param("10.0.0.1:1", "10.0.0.1:1", id="one address"),
    ],
)
def test_a_client_reaches_a_wildcard_by_the_loopback(listening: str, reachable: str) -> None:
    assert str(Address.parse(listening).reachable) == reachable
