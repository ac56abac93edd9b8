"""Starts the page's server and the control API, writes the ready file, and stops at SIGTERM."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from shared.clock import SystemClock
from standin.certificate import server_context
from standin.control import control_app
from standin.settings import PageSettings
from standin.state_file import StateFile
from standin.web import page_app
from standin.world import World

HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Options:
    """The command line. A port of 0 is chosen by the system."""

    state_dir: Path
    ready_file: Path
    port: int
    control_port: int
    tls: bool
    tls_port: int
    number: str
    key: str = field(repr=False)
    """Who shows it is the virtual phone's owner, and may make the server misbehave."""
    settings: PageSettings


async def serve(options: Options) -> None:
    """Run until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.WARNING)
    clock = SystemClock()
    state = StateFile(options.state_dir)
    world = World(state, clock, number=options.number, defaults=options.settings)
    runners: list[web.AppRunner] = []
    try:
        port = await _listen(runners, page_app(world, options.key), options.port)
        control_port = await _listen(runners, control_app(world, options.key), options.control_port)
        tls_port = None
        if options.tls:
            context = server_context(options.state_dir, clock.now())
            tls_port = await _listen(runners, page_app(world, options.key), options.tls_port, context)
        _write_ready(options.ready_file, port, control_port, tls_port)
        await _stop_signal()
    finally:
        world.drop_sockets()
        await asyncio.gather(*(runner.cleanup() for runner in runners))
        state.close()


async def _listen(
    runners: list[web.AppRunner], app: web.Application, port: int, context: ssl.SSLContext | None = None
) -> int:
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.2)
    await runner.setup()
    runners.append(runner)
    site = web.TCPSite(runner, HOST, port, ssl_context=context)
    await site.start()
    taken: int = runner.addresses[0][1]
    return taken


def _write_ready(path: Path, port: int, control_port: int, tls_port: int | None) -> None:
    """Write the file whole or not at all, so that a reader can use what it says."""
    ready = {
        "pid": os.getpid(),
        "web_url": f"http://{HOST}:{port}",
        "control_url": f"http://{HOST}:{control_port}",
        "tls_port": tls_port,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.write_text(json.dumps(ready))
    draft.replace(path)


async def _stop_signal() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
