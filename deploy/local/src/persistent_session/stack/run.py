"""One run of a system on this machine: from the lock to the last line after the stop.

The composition of everything in `stack`. Whatever was started is stopped on every way out, also when the start itself
fails or is interrupted.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from typing import Any

from persistent_session.client.gateway import AsyncGateway
from persistent_session.client.phone import opened_phone
from persistent_session.data_folder import DataFolder
from persistent_session.errors import ExitCode
from persistent_session.services.bus_users import SETUP
from persistent_session.services.secrets import API_KEY, STANDIN_KEY
from persistent_session.services.table import NATS_SERVICE, NKEY_SEEDS
from persistent_session.settings import StackSettings
from persistent_session.stack import logs, running_stack, seaweed, stale_processes, temp_folder
from persistent_session.stack.console_output import ConsoleOutput
from persistent_session.stack.lock_file import locked
from persistent_session.stack.plan import LOOPBACK, phone_url, standin_control_url, web_url
from persistent_session.stack.ports import Reservations
from persistent_session.stack.preparation import Prepared, prepare
from persistent_session.stack.running_stack import RunningStack, StandIn
from persistent_session.stack.supervisor import Supervisor
from shared.bus import Bus, BusOptions, create_streams
from shared.clock import Clock, SystemClock

STALE_SECONDS = 8.0
"""How long stale processes may take to end before they are killed."""
WATCH_SECONDS = 2.0
STREAMS_SECONDS = 10.0
"""How long the set-up user waits for NATS, which answers its health address already."""
PAGE = "/persistent-session"


def run_stack(settings: StackSettings, environ: Mapping[str, str], output: ConsoleOutput) -> int:
    """Start everything, wait for a signal, stop everything; the exit code. Raises CliError when the start fails."""
    with locked(settings.data), Reservations() as reservations:
        _end_stale_processes(settings.data, output)
        prepared = prepare(settings, environ, reservations)
        try:
            return asyncio.run(_run(settings, prepared, output))
        finally:
            running_stack.remove(settings.data)
            stale_processes.remove_record(settings.data)
            temp_folder.remove(settings.data)
            temp_folder.remove_dead_sockets(seaweed.sockets(prepared.ports))


async def _run(settings: StackSettings, prepared: Prepared, output: ConsoleOutput) -> int:
    return await _Run(settings, prepared, output, SystemClock()).run()


def _end_stale_processes(data: DataFolder, output: ConsoleOutput) -> None:
    stale = stale_processes.find(data)
    if stale:
        output.note(f"ending {len(stale)} processes that a killed run left behind")
        stale_processes.end(stale, seconds=STALE_SECONDS)


class _Run:
    def __init__(self, settings: StackSettings, prepared: Prepared, output: ConsoleOutput, clock: Clock) -> None:
        self._settings = settings
        self._ports = prepared.ports
        self._keys = prepared.keys
        self._output = output
        self._clock = clock
        self._stop, self._hurry = asyncio.Event(), asyncio.Event()
        self._ready = False
        self._supervisor = Supervisor(
            prepared.specs,
            log_dir=settings.data.logs,
            clock=clock,
            output=output,
            after_ready={NATS_SERVICE.name: self._create_streams},
            on_change=self._record,
            reap_orphans=True,
        )
        self._tails = {process.name: logs.Tail(process.log) for process in self._supervisor.processes}

    async def run(self) -> int:
        self._listen_for_signals()
        self._output.heading("Starting Persistent Session" + (" (demo)" if self._settings.demo else ""))
        try:
            if await self._unless_stopped(self._start()):
                self._announce()
                await self._unless_stopped(self._watch())
        finally:
            await self._stop_all()
        return ExitCode.DONE if self._ready else ExitCode.INTERRUPTED

    def _listen_for_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do `work` until it is done (True) or a signal arrives (False)."""
        doing = asyncio.create_task(work)
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait({doing, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not doing.done():
            doing.cancel()
            with suppress(asyncio.CancelledError):
                await doing
            return False
        await doing
        return True

    async def _start(self) -> None:
        await self._supervisor.start()
        async with self._gateway() as gateway:
            await gateway.initialize(self._clock)
        self._ready = True
        self._record(self._supervisor.pids())

    def _gateway(self) -> AsyncGateway:
        return AsyncGateway(self._settings.gateway_url, self._api_key())

    def _api_key(self) -> str:
        return self._settings.api_key or self._keys.read(API_KEY)

    async def _create_streams(self) -> None:
        """After each start of NATS: a server that lost its data gets its streams again."""
        options = BusOptions(
            url=f"nats://{LOOPBACK}:{self._ports['nats']}", nkey_seed=self._keys.read(NKEY_SEEDS[SETUP]), name=SETUP
        )
        bus = await Bus.connect(options, clock=self._clock, wait_seconds=STREAMS_SECONDS)
        try:
            await create_streams(bus)
        finally:
            await bus.drain()

    def _announce(self) -> None:
        output, settings = self._output, self._settings
        output.blank()
        output.fact("page", f"{settings.gateway_url}{PAGE}")
        self._announce_key()
        output.fact("data", str(settings.data.path))
        output.fact("profile", str(settings.session_path))
        output.fact("saves", str(settings.backup_session_path))
        if settings.demo:
            page = opened_phone(phone_url(settings, self._ports), self._keys.read(STANDIN_KEY))
            output.fact("virtual phone", f"{page}   (or: persistent-session demo link)")
        output.blank()
        output.note("Ctrl-C stops everything, with a last snapshot")

    def _announce_key(self) -> None:
        """Show the key itself only once. A file remembers that, because a start that fails earlier has not shown it."""
        output, path, shown = self._output, self._keys.path(API_KEY), self._settings.data.api_key_shown
        if self._settings.api_key:
            output.fact("API key", "the one you gave")
        elif shown.exists():
            output.fact("API key", f"in {path}   (persistent-session key --show)")
        else:
            output.fact("API key", f"{self._api_key()}   (shown this once)")
            output.fact("", f"stored in {path}")
            shown.touch(mode=0o600)

    async def _watch(self) -> None:
        """Until cancelled: show each change of the session's state, and the warnings in the logs."""
        shown = ""
        async with self._gateway() as gateway:
            while True:
                state = await gateway.one_line()
                if state and state != shown:
                    self._output.note(state)
                    shown = state
                self._show_warnings()
                await self._clock.sleep(WATCH_SECONDS)

    def _show_warnings(self) -> None:
        for process in self._supervisor.processes:
            warnings = [logs.warning_text(line) for line in self._tails[process.name].new_lines()]
            for warning in dict.fromkeys(filter(None, warnings)):
                self._output.warn(process.name, warning)
            logs.copy_and_truncate(process.log)

    async def _stop_all(self) -> None:
        self._output.blank()
        self._output.heading("Stopping (Ctrl-C once more hurries)")
        began = self._clock.monotonic()
        await self._supervisor.stop(self._hurry)
        self._output.note(f"stopped in {self._clock.monotonic() - began:.1f} s")

    def _record(self, pids: Mapping[str, int]) -> None:
        """Write what runs, for the commands and for the next start."""
        stale_processes.record(self._settings.data, (pid for pid in pids.values() if pid))
        running_stack.write(self._settings.data, self._running_stack(pids))

    def _running_stack(self, pids: Mapping[str, int]) -> RunningStack:
        settings = self._settings
        return RunningStack(
            pid=os.getpid(),
            gateway_url=settings.gateway_url,
            page_url=f"{settings.gateway_url}{PAGE}",
            data_dir=str(settings.data.path),
            session_path=str(settings.session_path),
            backup_session_path=str(settings.backup_session_path),
            client_id=settings.client_id,
            demo=settings.demo,
            ready=self._ready,
            own_api_key=bool(settings.api_key),
            processes=dict(pids),
            http_ports={name: port for name, port in self._ports.items() if name.endswith("-http")},
            standin=self._standin() if settings.demo else None,
        )

    def _standin(self) -> StandIn:
        return StandIn(
            web_url=web_url(self._settings, self._ports),
            control_url=standin_control_url(self._ports),
            phone_url=phone_url(self._settings, self._ports),
        )
