"""Where the programs and files of others lie: nats-server, weed, a Chromium, wa-js."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from persistent_session.faults import Exit, Fault
from persistent_session.stack.plan import Programs
from shared.browsers import NoBrowser, browser_of

AGAIN = "run `make up` again: it installs what is missing"
WA_JS = Path("node_modules/@wppconnect/wa-js/dist/wppconnect-wa.js")


def find_programs(environ: Mapping[str, str]) -> Programs:
    """Everything a system needs. Raises Fault that names the first thing missing."""
    return Programs(
        nats_server=_ours("nats-server"),
        weed=_ours("weed"),
        browser=_found_browser(environ),
        wa_js=environ.get("WA_JS_PATH") or _found_wa_js(),
    )


def _ours(name: str) -> str:
    """A program of our own Python environment, else one on PATH."""
    beside = Path(sys.prefix) / "bin" / name
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which(name)
    if not found:
        raise Fault(f"{name} is not installed", hint=AGAIN, code=Exit.FAILED)
    return found


def _found_browser(environ: Mapping[str, str]) -> str:
    try:
        return str(browser_of(environ))
    except NoBrowser as missing:
        raise Fault(str(missing), hint=AGAIN) from missing


def project_root() -> Path | None:
    """The checkout that this package is installed from."""
    return next((place for place in Path(__file__).resolve().parents if (place / "package-lock.json").is_file()), None)


def find_wa_js() -> str:
    places = [place for place in (project_root(), Path.cwd()) if place]
    return next((str(place / WA_JS) for place in places if (place / WA_JS).is_file()), "")


def _found_wa_js() -> str:
    found = find_wa_js()
    if not found:
        raise Fault("wa-js is not installed", hint=f"{AGAIN}, or set WA_JS_PATH")
    return found
