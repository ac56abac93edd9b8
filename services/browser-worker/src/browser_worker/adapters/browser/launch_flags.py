"""The command line of the browser: flags that save memory and flags that stop requests to other hosts.

Web security, certificate checks and the page's CSP stay as they are. The trap: Chromium takes only the last
`--enable-features` and `--disable-features`, so either of them here would replace Playwright's own list.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

BLOCKED_HOSTS = (
    "*.google-analytics.com",
    "*.googletagmanager.com",
    "*.analytics.google.com",
    "cobrancas.uppermesh.com.br",
    "wajsapi.titanchat.com.br",
    "wppc-linkpreview.cloudtrix.com.br",
    "*.google.com",
    "*.googleapis.com",
    "*.gstatic.com",
    "*.gvt1.com",
)
"""Hosts to which wa-js would send usage data and the addresses in messages, and hosts that Chromium asks for updates
and accounts. The browser does not resolve these names."""

REMOVED_DEFAULTS = ("--enable-automation", "--enable-unsafe-swiftshader")
"""Flags of Playwright that are left out: the first shows a bar and sets navigator.webdriver, the second runs a GPU
process."""

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


def arguments(version: str, extra: Iterable[str]) -> list[str]:
    """All flags but the profile, which Playwright adds. Resolver rules in `extra` are joined to ours."""
    rules = [f"MAP {host} ~NOTFOUND" for host in BLOCKED_HOSTS]
    prefix = "--host-resolver-rules="
    others = []
    for flag in extra:
        if flag.startswith(prefix):
            rules.append(flag.removeprefix(prefix))
        else:
            others.append(flag)
    return [*_FLAGS, f"--user-agent={user_agent(version)}", prefix + ", ".join(rules), *others]


def user_agent(version: str) -> str:
    """The user agent of a desktop Chrome of that version. WhatsApp Web refuses "HeadlessChrome"."""
    major = version.split(".", 1)[0]
    return f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.0.0.0 Safari/537.36"


def environment() -> dict[str, str]:
    """Only what a browser needs. The worker's keys stay out of a process that runs scripts of others."""
    return {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
