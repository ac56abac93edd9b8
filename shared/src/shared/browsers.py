"""Which browser is started, and where it lies: asked by the worker, the launcher, the doctor and the set-up.

The headless shell takes about half of the memory of the full Chromium and shows the same pages, so the search takes the
full one only where no headless shell lies. For each of the two the search looks on PATH, then where Linux distributions
put it, then among the browsers that Playwright has downloaded. A snap is never taken: it cannot use a profile outside
of its own folders, and Ubuntu's `chromium-browser` is a script that asks for one.

The trap: a browser that lies there may still not start (a missing library); the doctor and the set-up ask the program
for its version.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

Engine = Literal["headless-shell", "chromium"]

_NAMES: dict[Engine, tuple[str, ...]] = {
    "headless-shell": ("chromium-headless-shell", "headless_shell", "chrome-headless-shell"),
    "chromium": ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome"),
}
_FIXED: dict[Engine, tuple[str, ...]] = {
    "headless-shell": ("/usr/lib/chromium/chromium-headless-shell", "/usr/lib/chromium/headless_shell"),
    "chromium": (),
}
_DOWNLOADED: dict[Engine, tuple[str, ...]] = {
    "headless-shell": (
        "chromium_headless_shell-*/*/headless_shell",
        "chromium_headless_shell-*/*/chrome-headless-shell",
    ),
    "chromium": ("chromium-*/*/chrome",),
}
_LARGEST_SCRIPT_BYTES = 16 * 1024


class NoBrowser(Exception):
    """No browser that can be run was found; the text says how to get one."""


def find_browser(engine: Engine, given: Path | None = None, *, environ: Mapping[str, str] = os.environ) -> Path:
    """`given` if there is one, else the best browser on this machine. `headless-shell` is a preference, `chromium` a
    demand. Raises NoBrowser."""
    if given is not None:
        if os.access(given, os.X_OK):
            return given
        raise NoBrowser(f"{given} is no program that can be run: correct BROWSER_EXECUTABLE or unset it")
    wanted: tuple[Engine, ...] = ("headless-shell", "chromium") if engine == "headless-shell" else ("chromium",)
    found = next((path for kind in wanted for path in _candidates(kind, environ)), None)
    if found is None:
        package = "chromium-headless-shell" if engine == "headless-shell" else "chromium"
        raise NoBrowser(
            f"no Chromium was found: `apt-get install {package}`, or `playwright install --with-deps chromium`, "
            "or set BROWSER_EXECUTABLE"
        )
    return found


def browser_of(environ: Mapping[str, str]) -> Path:
    """The browser that a worker with this environment starts (BROWSER_EXECUTABLE, BROWSER). Raises NoBrowser."""
    given = environ.get("BROWSER_EXECUTABLE")
    engine: Engine = "chromium" if environ.get("BROWSER") == "chromium" else "headless-shell"
    return find_browser(engine, Path(given) if given else None, environ=environ)


def is_headless_shell(browser: Path) -> bool:
    """By its name, which the packages and Playwright keep."""
    return "headless" in browser.name


def _candidates(engine: Engine, environ: Mapping[str, str]) -> Iterator[Path]:
    """Those that this user may run, the best first."""
    for name in _NAMES[engine]:
        found = shutil.which(name, path=environ.get("PATH"))
        if found and not _is_snap(Path(found)):
            yield Path(found)
    yield from (Path(path) for path in _FIXED[engine] if os.access(path, os.X_OK))
    downloads = _downloads(environ)
    paths = [path for pattern in _DOWNLOADED[engine] for path in downloads.glob(pattern) if os.access(path, os.X_OK)]
    yield from sorted(paths, key=_revision, reverse=True)


def _is_snap(program: Path) -> bool:
    real = program.resolve()
    if "snap" in real.parts:
        return True
    try:
        return real.stat().st_size < _LARGEST_SCRIPT_BYTES and "/snap/" in real.read_text(errors="replace")
    except OSError:
        return True


def _downloads(environ: Mapping[str, str]) -> Path:
    """Where Playwright puts its browsers on Linux."""
    if environ.get("PLAYWRIGHT_BROWSERS_PATH"):
        return Path(environ["PLAYWRIGHT_BROWSERS_PATH"])
    cache = environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path(environ.get("HOME") or Path.home()) / ".cache") / "ms-playwright"


def _revision(path: Path) -> int:
    """Of Playwright's folder, such as chromium_headless_shell-1255."""
    numbers = re.findall(r"/chromium(?:_headless_shell)?-(\d+)/", str(path))
    return int(numbers[-1]) if numbers else 0
