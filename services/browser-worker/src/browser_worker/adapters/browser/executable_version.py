"""The version of the browser that is started.

The version decides whether a restore is safe: an older browser loses the IndexedDB of a newer one. So the version is
asked from the very file that is started, and asked again when that file changes (an update of the system's package).
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from shared.browsers import NoBrowser


class VersionOf:
    """The version of an executable, asked once for each state of the file."""

    def __init__(self, executable: Path) -> None:
        self._executable = executable
        self._known: tuple[tuple[int, int], str] | None = None

    async def ask(self, *, timeout: float) -> str:
        """Such as 156.0.8078.79. Raises NoBrowser when the program names no version, TimeoutError."""
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
