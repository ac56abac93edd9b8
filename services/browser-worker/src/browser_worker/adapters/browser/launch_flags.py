"""The command line of the browser: flags that save memory, and flags that leave the egress proxy as the only way out.

Web security, certificate checks and the page's CSP stay as they are. The trap: Chromium takes only the last
`--enable-features` and `--disable-features`, so either of them here would replace Playwright's own list.
"""

from __future__ import annotations

import os

REMOVED_DEFAULTS = ("--enable-automation", "--enable-unsafe-swiftshader", "--disable-popup-blocking")
"""Flags of Playwright that are left out: the first shows a bar and sets navigator.webdriver, the second runs a GPU
process, the third lets a page open tabs unasked."""

_ONE_WAY_OUT = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-quic",
    "--block-new-web-contents",
)
"""No name is resolved beside the proxy, WebRTC and QUIC send no UDP, and the headless shell opens no second page. Each
of the two browsers knows one of the WebRTC flags."""

_FLAGS = (
    "--lang=en-US",
    "--disable-blink-features=AutomationControlled",
    "--disable-gpu",
    "--disable-software-rasterizer",
    "--disk-cache-size=67108864",
    "--media-cache-size=16777216",
    "--window-size=1280,800",
)
_ENVIRONMENT = (
    "PATH",
    "HOME",
    "USER",
    "TMPDIR",
    "LANG",
    "LC_ALL",
    "TZ",
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
    "XDG_RUNTIME_DIR",
)


def arguments(version: str) -> list[str]:
    """All flags but the profile, which Playwright adds, and the proxy."""
    return [*_FLAGS, *_ONE_WAY_OUT, f"--user-agent={user_agent(version)}"]


def user_agent(version: str) -> str:
    """The user agent of a desktop Chrome of that version. WhatsApp Web refuses "HeadlessChrome"."""
    major = version.split(".", 1)[0]
    return f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.0.0.0 Safari/537.36"


def environment() -> dict[str, str]:
    """Only what a browser needs. The worker's keys stay out of a process that runs scripts of others."""
    return {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
