"""The command line of the browser: what saves memory, what keeps it quiet, what must never be switched off.

Web security, certificate checks and the page's CSP stay as they are. The trap: a later `--enable-features` or
`--disable-features` replaces Playwright's own list instead of adding to it, so neither is used here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

NEVER_ASKED = (
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
"""Hosts to which wa-js would send usage and the addresses in messages, and those that Chromium itself asks for updates
and accounts. Names that do not resolve cost nothing."""

NOT_WANTED = ("--enable-automation", "--enable-unsafe-swiftshader")
"""Playwright's own flags left out: the first shows a bar and sets navigator.webdriver, the second keeps a GPU alive."""

_FLAGS = (
    "--lang=en-US",
    "--disable-blink-features=AutomationControlled",
    "--disable-gpu",
    "--disable-software-rasterizer",
    "--disk-cache-size=67108864",
    "--media-cache-size=16777216",
    "--window-size=1280,800",
)
_PASSED_ON = (
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
    """Without the profile, which the launcher adds; resolver rules among `extra` are joined to ours."""
    rules = [f"MAP {host} ~NOTFOUND" for host in NEVER_ASKED]
    prefix = "--host-resolver-rules="
    others = []
    for flag in extra:
        if flag.startswith(prefix):
            rules.append(flag.removeprefix(prefix))
        else:
            others.append(flag)
    return [*_FLAGS, f"--user-agent={user_agent(version)}", prefix + ", ".join(rules), *others]


def user_agent(version: str) -> str:
    """What a desktop Chrome of that version sends; WhatsApp Web turns "HeadlessChrome" away."""
    major = version.split(".", 1)[0]
    return f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.0.0.0 Safari/537.36"


def environment() -> dict[str, str]:
    """Only what a browser needs: the worker's keys stay out of a process that runs foreign scripts."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
