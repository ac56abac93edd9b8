"""Which browser is started, where it lies, and its version.

The trap: the version decides whether a restore is safe, so it is asked from the very file that is started, and asked
again when that file changes (an update of the system's package).
"""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import Literal

Engine = Literal["headless-shell", "chromium"]

_INSTALLED: dict[str, tuple[str, ...]] = {
    "headless-shell": ("/usr/bin/chromium-headless-shell", "/usr/lib/chromium/chromium-headless-shell"),
    "chromium": ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome-stable"),
}
_PLAYWRIGHTS: dict[str, tuple[str, ...]] = {
    "headless-shell": (
        "chromium_headless_shell-*/chrome-*/headless_shell",
        "chromium_headless_shell-*/chrome-*/chrome-headless-shell",
    ),
    "chromium": ("chromium-*/chrome-*/chrome", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*"),
}


class NoBrowser(Exception):
    """No browser of the wanted kind is on this machine; the text says how to get one."""


def find_executable(engine: Engine, given: Path | None = None) -> Path:
    """The given one, else the system's, else Playwright's own. Raises NoBrowser."""
    if given is not None:
        if os.access(given, os.X_OK):
            return given
        raise NoBrowser(f"{given} is no program that can be run: correct BROWSER_EXECUTABLE or unset it")
    for name in _INSTALLED[engine]:
        if os.access(name, os.X_OK):
            return Path(name)
    return _playwrights_own(engine)


def _playwrights_own(engine: Engine) -> Path:
    folder = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    found = [path for pattern in _PLAYWRIGHTS[engine] for path in folder.glob(pattern) if os.access(path, os.X_OK)]
    if not found:
        package = "chromium-headless-shell" if engine == "headless-shell" else "chromium"
        raise NoBrowser(
            f"no {engine} browser found: `apt-get install {package}`, or `playwright install --with-deps chromium`, "
            "or set BROWSER_EXECUTABLE"
        )
    return max(found, key=_revision)


def _revision(path: Path) -> int:
    numbers = re.findall(r"chromium(?:_headless_shell)?-(\d+)", str(path))
    return int(numbers[-1]) if numbers else 0


class VersionOf:
    """The version of an executable, asked once for each state of its file."""

    def __init__(self, executable: Path) -> None:
        self._executable = executable
        self._known: tuple[tuple[int, int], str] | None = None

    async def ask(self, *, timeout: float) -> str:
        """Such as 156.0.8078.79. Raises NoBrowser when it cannot tell, TimeoutError."""
        stat = self._executable.stat()
        state = (stat.st_mtime_ns, stat.st_size)
        if self._known is None or self._known[0] != state:
            self._known = (state, await _version(self._executable, timeout))
        return self._known[1]


async def _version(executable: Path, timeout: float) -> str:
    process = await asyncio.create_subprocess_exec(
        executable, "--version", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), timeout)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    found = re.search(rb"\d+(?:\.\d+){3}", output)
    if found is None:
        raise NoBrowser(f"{executable} does not tell its version: is it a Chromium?")
    return found.group().decode()
