"""How a real process of a service ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.clock import SystemClock
from shared.testing import eventually_sync, free_port

PROGRAM = """
import asyncio, sys, time
from shared.bus import Bus, BusOptions
from shared.clock import SystemClock
from shared.contracts.errors import Unavailable
from shared.runtime import ServiceSettings, configure_logging, load_settings, run_service
import shared.runtime.shutdown as shutdown_module

shutdown_module.SLACK_SECONDS = 1.0

def say(text):
    print(text, flush=True)

async def note():
    say("phase")

async def hang():
    say("hanging")
    time.sleep(60)

async def wait(shutdown):
    shutdown.phase("note", 1.0, note)
    say("ready")
    await shutdown.requested.wait()
    return 3

async def stuck(shutdown):
    shutdown.phase("hang", 0.5, hang)
    shutdown._budget_seconds = 1.0
    say("ready")
    await shutdown.requested.wait()
    return 0

async def starting(shutdown):
    say("ready")
    await Bus.connect(BusOptions(url="nats://127.0.0.1:" + sys.argv[2]), clock=SystemClock(), wait_seconds=None)
    return 0

async def settings(shutdown):
    load_settings(ServiceSettings)
    return 0

async def refused(shutdown):
    shutdown.phase("note", 1.0, note)
    raise Unavailable("nothing to work with", hint="start it")

async def crashed(shutdown):
    raise RuntimeError("secret 201234567890")

configure_logging("test", "info")
run_service("test", globals()[sys.argv[1]])
"""


class Service:
    def __init__(self, folder: Path, main: str, *arguments: str, env: dict[str, str] | None = None) -> None:
        file = folder / "service.py"
        file.write_text(PROGRAM)
        self._out = folder / "out"
        self._err = folder / "err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error", str(file), main, *arguments],
                stdout=out, stderr=err, env={**os.environ, **(env or {})},
            )  # fmt: skip

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def ready(self) -> None:
        eventually_sync(lambda: "ready" in self.out, timeout=20.0, message="service ready")

    def ended(self, timeout: float = 20.0) -> int:
        return self.process.wait(timeout)


@pytest.fixture
def started() -> Iterator[list[Service]]:
    services: list[Service] = []
    yield services
    for service in services:
        if service.process.poll() is None:
            service.process.kill()
        service.process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_runs_the_phases_and_ends_with_the_code_of_main(
    tmp_path: Path, started: list[Service], number: signal.Signals
) -> None:
    service = Service(tmp_path, "wait")
    started.append(service)
    service.ready()
    service.process.send_signal(number)
    assert service.ended() == 3
    assert service.out.splitlines() == ["ready", "phase"]


def test_a_phase_that_blocks_the_whole_process_is_ended_by_the_watchdog(tmp_path: Path, started: list[Service]) -> None:
    service = Service(tmp_path, "stuck")
    started.append(service)
    service.ready()
    clock = SystemClock()
    before = clock.monotonic()
    service.process.terminate()
    assert service.ended() == 70
    assert clock.monotonic() - before < 10.0
    assert "hanging" in service.out
    assert "exit_hung" in service.err


def test_a_service_that_still_waits_for_nats_ends_at_once(tmp_path: Path, started: list[Service]) -> None:
    service = Service(tmp_path, "starting", str(free_port()))
    started.append(service)
    service.ready()
    service.process.terminate()
    assert service.ended(5.0) == 0


def test_wrong_settings_end_with_code_2_and_one_line_a_fault(tmp_path: Path, started: list[Service]) -> None:
    service = Service(tmp_path, "settings", env={"HTTP_PORT": "many", "LOG_LEVEL": "loud"})
    started.append(service)
    assert service.ended() == 2
    assert sorted(service.err.splitlines()) == [
        "HTTP_PORT must be a whole number.",
        "LOG_LEVEL must match ^(debug|info|warning|error)$.",
    ]


def test_a_service_error_is_one_line_with_its_hint_and_the_phases_run(tmp_path: Path, started: list[Service]) -> None:
    service = Service(tmp_path, "refused")
    started.append(service)
    assert service.ended() == 1
    assert "nothing to work with" in service.err
    assert "start it" in service.err
    assert "Traceback" not in service.err
    assert "phase" in service.out


def test_a_crash_is_logged_without_secrets(tmp_path: Path, started: list[Service]) -> None:
    service = Service(tmp_path, "crashed")
    started.append(service)
    assert service.ended() == 70
    assert "RuntimeError" in service.err
    assert "2012" not in service.err
