"""A supervisor of fake services in a process of its own, to be killed: `supervised.py FOLDER NAME:PORT[:WORD…] …`."""

from __future__ import annotations

import asyncio
import io
import signal
import sys
from pathlib import Path

from rich.console import Console

from persistent_session.data_folder import DataFolder
from persistent_session.stack import stale_processes
from persistent_session.stack.console_output import ConsoleOutput
from persistent_session.stack.plan import MARK, ProcessSpec
from persistent_session.stack.readiness import AnswersHttp, Ready
from persistent_session.stack.supervisor import Supervisor
from shared.clock import SystemClock

FAKE = str(Path(__file__).with_name("fake_service.py"))


def fake(
    name: str, port: int, folder: Path, *words: str, required: bool = True, ready_seconds: float = 10.0,
    stop_seconds: float = 2.0, stage: int = 0, death_signal: int = signal.SIGTERM,
) -> ProcessSpec:  # fmt: skip
    return ProcessSpec(
        name=name,
        argv=(sys.executable, "-S", FAKE, name, str(port), str(folder / "journal"), *words),
        env={MARK: str(folder)},
        ready=Ready(sign=AnswersHttp(url=f"http://127.0.0.1:{port}/"), seconds=ready_seconds, required=required),
        stop_seconds=stop_seconds,
        stage=stage,
        death_signal=death_signal,
    )


def captured_output() -> tuple[ConsoleOutput, io.StringIO]:
    """A console output, and what it showed."""
    shown = io.StringIO()
    return ConsoleOutput(Console(file=shown, width=200, color_system=None)), shown


def journal(folder: Path) -> list[list[str]]:
    """Lines as words: name, what, pid."""
    try:
        return [line.split() for line in (folder / "journal").read_text().splitlines()]
    except FileNotFoundError:
        return []


async def main() -> None:
    folder = Path(sys.argv[1])
    (folder / "run").mkdir(exist_ok=True)
    specs = []
    for text in sys.argv[2:]:
        name, port, *words = text.split(":")
        specs.append(fake(name, int(port), folder, *words))
    supervisor = Supervisor(
        specs, log_dir=folder / "logs", clock=SystemClock(), output=ConsoleOutput(), reap_orphans=True,
        on_change=lambda pids: stale_processes.record(DataFolder(folder), [pid for pid in pids.values() if pid]),
    )  # fmt: skip
    await supervisor.start()
    (folder / "ready").touch()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
