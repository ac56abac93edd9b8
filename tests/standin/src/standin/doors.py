"""Who may ask the stand-in for what: its key, the names that it has, the pages that are its own.

The trap: loopback is no fence. Every user of the machine reaches these ports, and so does every page that a browser on
the machine has open; the page cannot read the answer, but what it asked for has been done. A browser says whose page
asks (`Origin`, `Sec-Fetch-Site`), and under which name it believes to reach us (`Host`).
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from standin.certificate import HOSTS

VARIABLE = "STANDIN_KEY"
LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost)(:\d{1,5})?")
SITE = re.compile(rf"(127\.0\.0\.1|{'|'.join(map(re.escape, HOSTS))})(:\d{{1,5}})?")


class NoKeyError(Exception):
    """The stand-in was started without a key."""


def read_key(environ: Mapping[str, str]) -> str:
    """STANDIN_KEY, or what the file that STANDIN_KEY_FILE names holds. Raises NoKeyError."""
    file = environ.get(f"{VARIABLE}_FILE", "")
    try:
        key = environ.get(VARIABLE, "") or (Path(file).read_text().strip() if file else "")
    except OSError as error:
        raise NoKeyError(f"{VARIABLE}_FILE names a file that cannot be read: {error.strerror}") from None
    if not key:
        raise NoKeyError(f"set {VARIABLE} or {VARIABLE}_FILE: who shows the key is the virtual phone's owner")
    return key


def shows_key(request: web.Request, key: str) -> bool:
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), key.encode())


def is_page(request: web.Request) -> bool:
    """Whether a page in a browser asks, whoever's."""
    return "Origin" in request.headers or "Sec-Fetch-Site" in request.headers


def is_own_page(request: web.Request) -> bool:
    """Whether a page of this very origin asks."""
    return has_own_origin(request) and request.headers.get("Sec-Fetch-Site", "same-origin") == "same-origin"


def has_own_origin(request: web.Request) -> bool:
    """Every browser names the origin of a POST and of a websocket; a websocket's site is none of its own."""
    return request.headers.get("Origin") == f"{request.scheme}://{request.host}"
