"""The unmodified whatsapp-web.js client in a Node process, as the old system runs it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import psutil

SCRIPT = Path(__file__).parents[1] / "standin" / "tests" / "wwebjs_client.cjs"


class OldClient:
    """The Node process that runs the client. Both sides send lines of JSON."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.events: list[dict[str, Any]] = []

    @classmethod
    async def start(cls, tls_port: int, profiles: Path, browser: Path) -> Self:
        node = shutil.which("node") or shutil.which("node", path=Path(sys.executable).parent)
        assert node, "Node.js is needed for whatsapp-web.js"
        root_only = ["--no-sandbox"] if os.geteuid() == 0 else []
        command = [node, str(SCRIPT), str(tls_port), str(profiles), str(browser), *root_only]
        return cls(await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE))

    async def event(self, name: str, *, within: float = 30.0) -> dict[str, Any]:
        """The next event of this name. Earlier events are in `events` too."""
        assert self._process.stdout is not None
        async with asyncio.timeout(within):
            while line := await self._process.stdout.readline():
                event: dict[str, Any] = json.loads(line)
                self.events.append(event)
                assert event["event"] not in ("failed", "rejection", "auth_failure"), event
                if event["event"] == name:
                    return event
        raise AssertionError(f"the client ended before `{name}`; it said {self.events}")

    async def ask(self, command: str, **given: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write((json.dumps({"command": command, **given}) + "\n").encode())
        await self._process.stdin.drain()
        return await self.event("done")

    async def end(self) -> None:
        """Kill Node.js with its browser, also where `node` is the PyPI package's script that starts the real one."""
        for process in self._processes():
            with suppress(ProcessLookupError, psutil.NoSuchProcess):
                process.kill()
        await self._process.wait()

    def _processes(self) -> list[Process | psutil.Process]:
        if self._process.returncode is not None:
            return []
        with suppress(psutil.NoSuchProcess):
            return [*psutil.Process(self._process.pid).children(recursive=True), self._process]
        return []
