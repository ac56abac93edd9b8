"""What the browser may reach, and where a page is the site's: generated tables of names, addresses and origins."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_worker.domain.egress import Egress, Refusal, host_patterns, is_public, shown_host, site_of

WHATSAPP = "https://web.whatsapp.com"
HOSTS = host_patterns("whatsapp.com, *.whatsapp.com, *.whatsapp.net")
CLOSED_4 = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.2.0/24",
    "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4",
]  # fmt: skip
CLOSED_6 = ["::/96", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8", "100::/64", "2001:db8::/32", "64:ff9b:1::/48"]


@st.composite
def closed_addresses(draw: st.DrawFn) -> str:
    """An address that is not of the open internet, in each form in which IPv6 carries an IPv4 address too."""
    network = ip_network(draw(st.sampled_from(CLOSED_4 + CLOSED_6)))
    number = int(network.network_address) + draw(st.integers(0, network.num_addresses - 1))
    if not isinstance(network, IPv4Network):
        return str(IPv6Address(number)) + draw(st.sampled_from(["", "%eth0"]))
    forms = {
        "plain": str(IPv4Address(number)),
        "mapped": f"::ffff:{IPv4Address(number)}",
        "compatible": str(IPv6Address(number)),
        "nat64": str(IPv6Address((0x64FF9B << 96) + number)),
        "6to4": str(IPv6Address((0x2002 << 112) + (number << 80))),
        "teredo": str(IPv6Address((0x20010000 << 96) + (0x08080808 << 64) + (number ^ 0xFFFFFFFF))),
    }
    return forms[draw(st.sampled_from(sorted(forms)))]


@given(closed_addresses())
def test_no_address_of_the_machines_own_network_is_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["157.240.0.60", "2a03:2880:f00c::1", "::ffff:157.240.0.60", "64:ff9b::9df0:3c", "2002:9df0:3c::1"]
)
def test_addresses_of_the_open_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", ["", "localhost", "127.1", "2130706433", "0x7f000001", "a.b.c.d"])
def test_what_is_no_address_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "host", ["web.whatsapp.com", "WEB.WhatsApp.com", "mmg.whatsapp.net", "whatsapp.com", "a.b.whatsapp.net."]
)
@pytest.mark.parametrize("port", [443, 5222])
def test_hosts_of_whatsapp_are_reached(host: str, port: int) -> None:
    assert Egress(site_of(WHATSAPP), HOSTS).refusal(host, port) is None


LOOKALIKES = [
    "whatsapp.com.evil.com", "evilwhatsapp.com", "whatsapp.net", "web-whatsapp.com", "xwhatsapp.net", "whatsapp.com.",
    "web.whatsapp.com@evil.com", "127.0.0.1", "localhost", "::1", "169.254.169.254", "metadata.google.internal",
    "2130706433", "0x7f.1", "nats", "", "*.whatsapp.com.evil", "wеb.whatsapp.com.evil.com",
]  # fmt: skip


@pytest.mark.parametrize("host", [host for host in LOOKALIKES if host != "whatsapp.com."])
def test_lookalikes_and_the_machine_itself_are_refused(host: str) -> None:
    assert Egress(site_of(WHATSAPP), HOSTS).refusal(host, 443) is Refusal.HOST
    assert Egress(site_of(WHATSAPP), HOSTS, report_only=True).refusal(host, 443) is Refusal.REPORTED


@given(st.integers(1, 65535).filter(lambda port: port not in (443, 5222)))
def test_a_host_of_whatsapp_is_reached_at_its_own_ports_alone(port: int) -> None:
    assert Egress(site_of(WHATSAPP), HOSTS).refusal("web.whatsapp.com", port) is Refusal.HOST


@given(closed_addresses())
def test_a_name_of_the_list_that_leads_into_the_own_network_is_refused_in_both_modes(address: str) -> None:
    for report_only in (False, True):
        egress = Egress(site_of(WHATSAPP), HOSTS, report_only)
        assert not egress.allows_address("mmg.whatsapp.net", 443, address)
        assert not egress.allows_address("evil.example", 443, address)


def test_the_configured_site_is_reached_wherever_it_is_and_nothing_beside_it() -> None:
    egress = Egress(site_of("http://127.0.0.1:8123"), HOSTS)
    assert egress.refusal("127.0.0.1", 8123) is None
    assert egress.allows_address("127.0.0.1", 8123, "127.0.0.1")
    for host, port in [("127.0.0.1", 8124), ("localhost", 8123), ("::1", 8123), ("127.0.0.2", 8123)]:
        assert egress.refusal(host, port) is Refusal.HOST
        assert not egress.allows_address(host, port, "127.0.0.1")


@pytest.mark.parametrize("report_only", [False, True])
def test_hosts_that_nobody_wants_are_refused_in_both_modes(report_only: bool) -> None:
    egress = Egress(site_of(WHATSAPP), HOSTS, report_only)
    assert egress.refusal("www.google-analytics.com", 443) is Refusal.UNWANTED
    assert egress.refusal("wajsapi.titanchat.com.br", 443) is Refusal.UNWANTED


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://web.whatsapp.com", "https://web.whatsapp.com"),
        ("https://WEB.WhatsApp.com:443/?x=1", "https://web.whatsapp.com"),
        ("http://127.0.0.1:8123/", "http://127.0.0.1:8123"),
        ("http://[::1]:80/", "http://[::1]"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
    ],
)
def test_the_origin_of_the_site_is_spelled_as_browsers_spell_it(url: str, origin: str) -> None:
    assert site_of(url).origin == origin


@pytest.mark.parametrize(
    "url", ["", "web.whatsapp.com", "ftp://x", "https://", "https://a@web.whatsapp.com", "about:blank"]
)
def test_what_is_no_site_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValueError, match="WHATSAPP_WEB_URL"):
        site_of(url)


SCHEMES = ["http", "https", "ws", "ftp", "file", "chrome", "view-source:https", "blob:https", "filesystem:https"]
SHOWN_HOSTS = [
    "web.whatsapp.com", "web.whatsapp.com.", "web.whatsapp.com.evil.com", "evil.com", "whatsapp.com",
    "web.whatsapp.com@evil.com", "web.whatsapp.com:443@evil.com", "127.0.0.1", "xn--wb-gmc.whatsapp.com",
]  # fmt: skip
OTHERS = [
    "",
    "about:blank",
    "about:srcdoc",
    "data:text/html,x",
    "chrome-error://chromewebdata/",
    "javascript:1",
    "https:",
]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("host", SHOWN_HOSTS)
@pytest.mark.parametrize("port", ["", ":80", ":8443"])
def test_a_page_is_the_sites_at_its_very_origin_and_nowhere_else(scheme: str, host: str, port: str) -> None:
    shown = f"{scheme}://{host}{port}/a?b#c"
    assert site_of(WHATSAPP).shows(shown) == (shown == "https://web.whatsapp.com/a?b#c")


@pytest.mark.parametrize("url", OTHERS)
def test_a_page_without_a_host_is_nobodys(url: str) -> None:
    assert not site_of(WHATSAPP).shows(url)


@pytest.mark.parametrize("text", ["*", "a", "https://x.y", "*.*.com", "x.y/z", "x y.z"])
def test_a_list_with_a_wrong_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no host"):
        host_patterns(f"web.whatsapp.com, {text}")


def test_a_host_is_logged_short_and_without_a_number_or_a_control_character() -> None:
    shown = shown_host("x" * 300 + ".201234567890.\n\x1b[31mevil.example")
    assert len(shown) <= 80
    assert "20123" not in shown
    assert shown.isprintable()
    assert shown.endswith("evil.example")
