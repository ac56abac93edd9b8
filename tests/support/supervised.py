"""A supervisor of fake services in a process of its own, to be killed: `supervised.py FOLDER NAME:PORT[:WORD…] …`."""

from __future__ import annotations

import asyncio
import io
import signal
import sys
from pathlib import Path

from rich.console import Console

from persistent_session.stack import leftovers
from persistent_session.stack.plan import MARK, Process, Ready
from persistent_session.stack.supervisor import Supervisor
from persistent_session.stack.telling import Telling
from shared.clock import SystemClock

FAKE = str(Path(__file__).with_name("fake_service.py"))


def fake(
    name: str, port: int, folder: Path, *words: str, required: bool = True, ready_seconds: float = 10.0,
    stop_seconds: float = 2.0, stage: int = 0, death_signal: int = signal.SIGTERM,
) -> Process:  # fmt: skip
    return Process(
        name=name,
        argv=(sys.executable, "-S", FAKE, name, str(port), str(folder / "journal"), *words),
        env={MARK: str(folder)},
        ready=Ready(url=f"http://127.0.0.1:{port}/", seconds=ready_seconds, required=required),
        stop_seconds=stop_seconds,
        stage=stage,
        death_signal=death_signal,
    )


def quiet() -> tuple[Telling, io.StringIO]:
    """A telling, and what it said."""
    said = io.StringIO()
    return Telling(Console(file=said, width=200, color_system=None)), said


def journal(folder: Path) -> list[list[str]]:
    """Lines as words: name, what, pid."""
    try:
        return [line.split() for line in (folder / "journal").read_text().splitlines()]
    except FileNotFoundError:
        return []


async def main() -> None:
    folder = Path(sys.argv[1])
    (folder / "run").mkdir(exist_ok=True)
    processes = []
    for text in sys.argv[2:]:
        name, port, *words = text.split(":")
        processes.append(fake(name, int(port), folder, *words))
    supervisor = Supervisor(
        processes, log_dir=folder / "logs", clock=SystemClock(), telling=Telling(), adopt_orphans=True,
        on_change=lambda pids: leftovers.record(folder / "run", [pid for pid in pids.values() if pid]),
    )  # fmt: skip
    await supervisor.start()
    (folder / "ready").touch()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
