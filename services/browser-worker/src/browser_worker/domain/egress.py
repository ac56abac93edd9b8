"""What the browser may reach, decided by host, port and address. Pure; `adapters/browser/egress_proxy.py` does it.

The page is code of others that runs inside the owner's network. A list of hosts says where it may go, and a rule about
addresses says where it may never go: loopback, private networks and a cloud's metadata service, whatever name leads
there. The configured site is excepted from both, because the operator has named it.

Nobody has verified the list against the live site, so it can be made to report only. The rule about addresses stays in
force then.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

PORTS = frozenset({443, 5222})
"""Where WhatsApp's hosts are reached: https, and the other port of its websocket."""

UNWANTED_HOSTS = (
    "*.google-analytics.com",
    "*.googletagmanager.com",
    "cobrancas.uppermesh.com.br",
    "wajsapi.titanchat.com.br",
    "wppc-linkpreview.cloudtrix.com.br",
    "*.google.com",
    "*.googleapis.com",
    "*.gstatic.com",
    "*.gvt1.com",
)
"""Hosts to which wa-js would send usage data and the addresses in messages, and hosts that Chromium asks for updates
and accounts. They are refused in both modes, and no news."""

_PATTERN = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)+")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LONGEST_NAME = 80
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")


class Refusal(StrEnum):
    """What the browser was kept from; the label of a metric."""

    HOST = "host"
    """A host that is not on the list."""
    REPORTED = "reported"
    """The same, let through because the list only reports."""
    UNWANTED = "unwanted"
    ADDRESS = "address"
    """An allowed name that leads to loopback or a private network."""
    NAVIGATION = "navigation"
    """The page tried to leave the site."""
    TAB = "tab"
    """A page that the worker did not open."""
    PUSH = "push"
    """A push that did not come from the site."""


@dataclass(frozen=True)
class Site:
    """The configured site. `origin` is spelled as browsers spell it."""

    origin: str
    host: str
    port: int

    def shows(self, url: str) -> bool:
        """Whether a page at this address, as the browser spells it, is the site's."""
        return url.startswith(self.origin + "/")


def site_of(url: str) -> Site:
    """Raises ValueError."""
    parts = urlsplit(url)
    host, default = (parts.hostname or "").rstrip("."), _DEFAULT_PORTS.get(parts.scheme)
    if default is None or not host or parts.username is not None:
        raise ValueError("WHATSAPP_WEB_URL must begin with http:// or https:// and name a host")
    port = parts.port or default
    shown = f"[{host}]" if ":" in host else host.encode("idna").decode()
    return Site(f"{parts.scheme}://{shown}" + ("" if port == default else f":{port}"), shown.strip("[]"), port)


def host_patterns(text: str) -> tuple[str, ...]:
    """The patterns in a list with commas: `host.name`, or `*.name` for the hosts below a name. Raises ValueError."""
    patterns = tuple(part for part in (each.strip().lower() for each in text.split(",")) if part)
    for pattern in patterns:
        if not _PATTERN.fullmatch(pattern):
            raise ValueError(f"{pattern!r} is no host such as web.whatsapp.com or *.whatsapp.net")
    return patterns


@dataclass(frozen=True)
class Egress:
    """`hosts`: patterns as `host_patterns` gives them. `report_only`: other hosts are let through and named."""

    site: Site
    hosts: tuple[str, ...]
    report_only: bool = False

    def refusal(self, host: str, port: int) -> Refusal | None:
        """What is said of a connection to `host`; None when it is allowed."""
        if self.is_site(host, port):
            return None
        if _matches(host, UNWANTED_HOSTS):
            return Refusal.UNWANTED
        if _matches(host, self.hosts) and port in PORTS:
            return None
        return Refusal.REPORTED if self.report_only else Refusal.HOST

    def allows_address(self, host: str, port: int, address: str) -> bool:
        """Whether `host` may be reached at `address`."""
        return self.is_site(host, port) or is_public(address)

    def is_site(self, host: str, port: int) -> bool:
        return (host.lower(), port) == (self.site.host, self.site.port)


def _matches(host: str, patterns: Iterable[str]) -> bool:
    name = host.lower().rstrip(".")
    return any(name.endswith(each[1:]) if each.startswith("*.") else name == each for each in patterns)


def is_public(address: str) -> bool:
    """False for loopback, private, link-local and every other address that is not of the open internet, also where
    IPv6 carries an IPv4 address inside."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv4Address):
        return _public4(found)
    if found.ipv4_mapped:
        return _public4(found.ipv4_mapped)
    if found in _NAT64:
        return _public4(IPv4Address(int(found) & 0xFFFFFFFF))
    inside = [*(found.teredo or ()), *([found.sixtofour] if found.sixtofour else [])]
    return found in _GLOBAL_UNICAST and _public6(found) and all(_public4(each) for each in inside)


def _public4(address: IPv4Address) -> bool:
    return address.is_global and not address.is_multicast and not address.is_reserved


def _public6(address: IPv6Address) -> bool:
    return bool(address.teredo or address.sixtofour or address.is_global)


def shown_host(host: str) -> str:
    """A host as it may be logged: short, of harmless characters, without a long number."""
    harmless = re.sub(r"[^a-z0-9._:-]", "?", host.lower())
    return re.sub(r"\d{5,}", "#", harmless)[-_LONGEST_NAME:]
