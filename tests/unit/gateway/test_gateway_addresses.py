"""Which addresses count as one client."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.addresses import client_of, network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not an address", "unknown"),
        ("", "unknown"),
    ],
)
def test_an_ipv6_client_is_its_network(address: str, network: str) -> None:
    assert network_of(address) == network


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_every_address_of_a_64_is_one_client(address: ipaddress.IPv6Address, host: int) -> None:
    neighbour = ipaddress.IPv6Address(int(address) >> 64 << 64 | host)
    if not (address.ipv4_mapped or neighbour.ipv4_mapped):
        assert network_of(str(address)) == network_of(str(neighbour))


@pytest.mark.parametrize(
    ("forwarded", "proxies", "client"),
    [
        ("198.51.100.1", 0, "192.0.2.1"),
        ("198.51.100.1", 1, "198.51.100.1"),
        ("203.0.113.9, 198.51.100.1", 1, "198.51.100.1"),
        ("203.0.113.9, 198.51.100.1", 2, "203.0.113.9"),
        ("198.51.100.1", 2, "192.0.2.1"),
        ("", 1, "192.0.2.1"),
    ],
)
def test_only_as_many_proxies_are_believed_as_are_trusted(forwarded: str, proxies: int, client: str) -> None:
    assert client_of("192.0.2.1", forwarded, proxies) == client
