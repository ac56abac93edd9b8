"""Where the programs and files lie that are not ours: nats-server, weed, a Chromium, wa-js.

Trap: a Chromium that exists is not yet one that starts; `doctor` and the set-up ask it for its version.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from persistent_session.faults import Exit, Fault
from persistent_session.stack.plan import Programs

AGAIN = "run `make up` again: it installs what is missing"
WA_JS = Path("node_modules/@wppconnect/wa-js/dist/wppconnect-wa.js")
_BROWSERS = ("chromium-headless-shell", "headless_shell", "chrome-headless-shell", "chromium", "chromium-browser",
             "google-chrome-stable", "google-chrome")  # fmt: skip
_PLACES = (
    "/usr/lib/chromium/headless_shell",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
_PLAYWRIGHT_GLOBS = (
    "chromium_headless_shell-*/*/headless_shell",
    "chromium_headless_shell-*/*/chrome-headless-shell",
    "chromium-*/*/chrome",
    "chromium-*/*/Chromium.app/Contents/MacOS/Chromium",
)


def find_programs(environ: Mapping[str, str], *, browser: str = "") -> Programs:
    """Everything a system needs. Raises Fault that names the first thing missing."""
    return Programs(
        nats_server=_ours("nats-server"),
        weed=_ours("weed"),
        browser=browser or _found_browser(environ),
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
    found = find_browser(environ)
    if not found:
        raise Fault("no Chromium was found", hint=f"{AGAIN}, or set BROWSER_EXECUTABLE")
    return found


def find_browser(environ: Mapping[str, str]) -> str:
    """The browser to use, the leanest first; "" when there is none."""
    if environ.get("BROWSER_EXECUTABLE"):
        return environ["BROWSER_EXECUTABLE"]
    names = _BROWSERS if environ.get("BROWSER") != "chromium" else tuple(n for n in _BROWSERS if "headless" not in n)
    return next((found for found in _candidates(names, environ) if os.access(found, os.X_OK)), "")


def _candidates(names: tuple[str, ...], environ: Mapping[str, str]) -> Iterator[str]:
    headless = any("headless" in name for name in names)
    for name in names:
        # Ubuntu's chromium-browser is a script that asks for a snap; a snap cannot use our profile folder.
        if (found := shutil.which(name)) and not _is_snap(found):
            yield found
    yield from (place for place in _PLACES if headless or "headless" not in place)
    for pattern in _PLAYWRIGHT_GLOBS:
        if headless or "headless" not in pattern:
            yield from sorted((str(path) for path in _playwright_folder(environ).glob(pattern)), reverse=True)


def _is_snap(program: str) -> bool:
    real = Path(program).resolve()
    if "snap" in real.parts:
        return True
    try:
        return real.stat().st_size < 16_384 and "/snap/" in real.read_text(errors="replace")
    except OSError:
        return True


def _playwright_folder(environ: Mapping[str, str]) -> Path:
    if environ.get("PLAYWRIGHT_BROWSERS_PATH"):
        return Path(environ["PLAYWRIGHT_BROWSERS_PATH"])
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "ms-playwright"
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ms-playwright"


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
