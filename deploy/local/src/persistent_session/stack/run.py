"""One run of a system on this machine: from the lock to the last line after the stop.

The composition of everything in `stack`. Trap: what was started must be stopped on every way out, also when the start
itself failed or was interrupted.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from persistent_session.client.gateway import AsyncGateway
from persistent_session.faults import Exit, Fault
from persistent_session.settings import StackSettings
from persistent_session.stack import holding, leftovers, logs, nats, ports
from persistent_session.stack.plan import (
    NATS,
    PORTS,
    STANDIN_PORTS,
    Process,
    Programs,
    phone_url,
    plan,
    standin_control_url,
    web_url,
)
from persistent_session.stack.programs import find_programs
from persistent_session.stack.secrets import API_KEY, BUS_USERS, Keys, open_keys, seed_name
from persistent_session.stack.supervisor import Supervisor
from persistent_session.stack.telling import Telling
from shared.bus import Bus, BusOptions, create_streams
from shared.clock import Clock, SystemClock

LEFTOVER_PATIENCE_SECONDS = 8.0
WATCH_SECONDS = 2.0
PAGE = "/persistent-session"


def run_stack(settings: StackSettings, environ: Mapping[str, str], telling: Telling) -> int:
    """Start everything, stay until a signal, stop everything. The exit code. Raises Fault when it cannot be started."""
    with holding.hold(settings.data_dir) as run_dir:
        _clear_leftovers(settings.data_dir, telling)
        _check_gateway_port(settings)
        prepared = _Prepared.make(settings, environ, run_dir)
        try:
            return asyncio.run(_run(settings, prepared, telling))
        finally:
            holding.forget_stack(run_dir)
            leftovers.forget(run_dir)


async def _run(settings: StackSettings, prepared: _Prepared, telling: Telling) -> int:
    return await _Run(settings, prepared, telling, SystemClock()).whole()


def _clear_leftovers(data_dir: Path, telling: Telling) -> None:
    found = leftovers.find(data_dir)
    if found:
        telling.note(f"ending {len(found)} processes that a killed run left behind")
        leftovers.end(found, patience=LEFTOVER_PATIENCE_SECONDS)


def _check_gateway_port(settings: StackSettings) -> None:
    port, host = settings.gateway_port, settings.gateway_host
    if ports.is_free(port, host):
        return
    who = ports.holder(port)
    other = ports.next_free(port, host)
    raise Fault(
        f"GATEWAY_PORT {port} is taken" + (f" by {who}" if who else ""),
        hint="stop that program, or choose another port" + (f", such as GATEWAY_PORT={other}" if other else ""),
        code=Exit.BUSY,
    )


class _Prepared:
    """Everything on disk that the processes need before they start."""

    def __init__(self, keys: Keys, chosen: dict[str, int], processes: tuple[Process, ...]) -> None:
        self.keys = keys
        self.ports = chosen
        self.processes = processes

    @classmethod
    def make(cls, settings: StackSettings, environ: Mapping[str, str], run_dir: Path) -> _Prepared:
        programs = find_programs(environ)
        keys = open_keys(settings.keys_dir, make_api_key=not settings.api_key)
        chosen = _choose_ports(settings, run_dir)
        _make_folders(settings)
        return cls(keys, chosen, _plan(settings, environ, keys, chosen, programs, run_dir))


def _make_folders(settings: StackSettings) -> None:
    """For their owner alone: profiles and saves hold a login. Folders that are there keep the mode that they have."""
    ours = (settings.data_dir / "nats", settings.data_dir / "s3", settings.log_dir)
    for folder in (*ours, settings.session_path, settings.backup_session_path):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise Fault(
                f"the folder {folder} cannot be made: {error.strerror}", hint="check who owns its parent"
            ) from None


def _plan(
    settings: StackSettings,
    environ: Mapping[str, str],
    keys: Keys,
    chosen: Mapping[str, int],
    programs: Programs,
    run_dir: Path,
) -> tuple[Process, ...]:
    config = run_dir / "nats.conf"
    public_keys = {user: keys.bus_public_key(user) for user in BUS_USERS}
    text = nats.config(store=settings.data_dir / "nats", ports=chosen, public_keys=public_keys)
    with os.fdopen(os.open(config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    return plan(settings, ports=chosen, keys=keys, programs=programs, nats_config=config, environ=environ)


def _choose_ports(settings: StackSettings, run_dir: Path) -> dict[str, int]:
    path = run_dir / "ports.json"
    kept = ports.read_kept(path)
    names = (*PORTS, *(STANDIN_PORTS if settings.demo else ()))
    chosen = ports.choose(names, kept, avoid=(settings.gateway_port,))
    had, has = kept.get("standin-web"), chosen.get("standin-web")
    if settings.demo and had and had != has:
        who = ports.holder(had)
        raise Fault(
            f"port {had} of the demo's stand-in is taken" + (f" by {who}" if who else ""),
            hint="stop that program: the demo's linked session belongs to this address "
            f"(to begin anew, delete {settings.data_dir})",
            code=Exit.BUSY,
        )
    ports.keep(path, chosen)
    return chosen


class _Run:
    def __init__(self, settings: StackSettings, prepared: _Prepared, telling: Telling, clock: Clock) -> None:
        self._settings = settings
        self._ports = prepared.ports
        self._keys = prepared.keys
        self._telling = telling
        self._clock = clock
        self._stop, self._hurry = asyncio.Event(), asyncio.Event()
        self._ready = False
        self._supervisor = Supervisor(
            prepared.processes,
            log_dir=settings.log_dir,
            clock=clock,
            telling=telling,
            after_ready={NATS: self._make_streams},
            on_change=self._write_down,
            adopt_orphans=True,
        )
        self._tails = {service.name: logs.Tail(service.log) for service in self._supervisor.services}

    async def whole(self) -> int:
        self._listen_for_signals()
        self._telling.heading("Starting Persistent Session" + (" (demo)" if self._settings.demo else ""))
        try:
            if await self._unless_stopped(self._start()):
                self._announce()
                await self._unless_stopped(self._watch())
        finally:
            await self._stop_all()
        return Exit.DONE if self._ready else Exit.INTERRUPTED

    def _listen_for_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do `work` until it is done (True) or a signal came (False)."""
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
        self._write_down(self._supervisor.pids())

    def _gateway(self) -> AsyncGateway:
        return AsyncGateway(self._settings.gateway_url, self._api_key())

    def _api_key(self) -> str:
        return self._settings.api_key or self._keys.read(API_KEY)

    async def _make_streams(self) -> None:
        """After each start of NATS: a server that lost its data gets its streams again."""
        options = BusOptions(
            url=f"nats://127.0.0.1:{self._ports['nats']}", nkey_seed=self._keys.read(seed_name("setup")), name="setup"
        )
        bus = await Bus.connect(options, clock=self._clock, wait_seconds=10.0)
        try:
            await create_streams(bus)
        finally:
            await bus.drain()

    def _announce(self) -> None:
        tell, settings = self._telling, self._settings
        tell.blank()
        tell.fact("page", f"{settings.gateway_url}{PAGE}")
        self._announce_key()
        tell.fact("data", str(settings.data_dir))
        tell.fact("profile", str(settings.session_path))
        tell.fact("saves", str(settings.backup_session_path))
        if settings.demo:
            tell.fact("virtual phone", f"{phone_url(settings, self._ports)}   (or: persistent-session demo link)")
        tell.blank()
        tell.note("Ctrl-C stops everything, with a last snapshot")

    def _announce_key(self) -> None:
        """The key itself only once. A start that failed before this line has not shown it, so a file remembers."""
        tell, path = self._telling, self._keys.path(API_KEY)
        shown = self._settings.run_dir / "api-key-shown"
        if self._settings.api_key:
            tell.fact("API key", "the one you gave")
        elif shown.exists():
            tell.fact("API key", f"in {path}   (persistent-session key --show)")
        else:
            tell.fact("API key", f"{self._api_key()}   (shown this once)")
            tell.fact("", f"kept in {path}")
            shown.touch(mode=0o600)

    async def _watch(self) -> None:
        """Until cancelled: tell each change of the session's state, and what the services complain about."""
        told = ""
        async with self._gateway() as gateway:
            while True:
                state = await gateway.one_line()
                if state and state != told:
                    self._telling.note(state)
                    told = state
                self._show_complaints()
                await self._clock.sleep(WATCH_SECONDS)

    def _show_complaints(self) -> None:
        for service in self._supervisor.services:
            complaints = [logs.loud_part(line) for line in self._tails[service.name].new_lines()]
            for complaint in dict.fromkeys(filter(None, complaints)):
                self._telling.warn(service.name, complaint)
            logs.shorten_running(service.log)

    async def _stop_all(self) -> None:
        self._telling.blank()
        self._telling.heading("Stopping (Ctrl-C once more hurries)")
        began = self._clock.monotonic()
        await self._supervisor.stop(self._hurry)
        self._telling.note(f"stopped in {self._clock.monotonic() - began:.1f} s")

    def _write_down(self, pids: Mapping[str, int]) -> None:
        settings = self._settings
        leftovers.record(settings.run_dir, (pid for pid in pids.values() if pid))
        standin = holding.StandIn(
            web_url=web_url(settings, self._ports), control_url=standin_control_url(self._ports),
            phone_url=phone_url(settings, self._ports),
        ) if settings.demo else None  # fmt: skip
        stack = holding.RunningStack(
            pid=os.getpid(),
            gateway_url=settings.gateway_url,
            page_url=f"{settings.gateway_url}{PAGE}",
            data_dir=str(settings.data_dir),
            session_path=str(settings.session_path),
            backup_session_path=str(settings.backup_session_path),
            client_id=settings.client_id,
            demo=settings.demo,
            ready=self._ready,
            own_api_key=bool(settings.api_key),
            processes=dict(pids),
            http_ports={name: port for name, port in self._ports.items() if name.endswith(("-http", "-monitor"))},
            standin=standin,
        )
        holding.write_stack(settings.run_dir, stack)
