"""Who a client is, as far as an address tells."""

from __future__ import annotations

import ipaddress

IPV6_NETWORK_BITS = 64
"""What a provider gives to one customer."""


def client_of(peer: str, forwarded_for: str, trusted_proxies: int) -> str:
    """The address of the client: `peer`, or what the outermost trusted proxy wrote into X-Forwarded-For."""
    named = [part.strip() for part in forwarded_for.split(",") if part.strip()]
    if trusted_proxies and len(named) >= trusted_proxies:
        return named[-trusted_proxies]
    return peer


def network_of(address: str) -> str:
    """What one client commands: an IPv4 address, the /64 of an IPv6 address; "unknown" for what is none."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, IPV6_NETWORK_BITS), strict=False))
