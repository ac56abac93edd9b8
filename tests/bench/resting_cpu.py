"""CPU and memory of the resting system, and of its object store against the same store with a memory limit.

`python tests/bench/resting_cpu.py [SECONDS]`: a linked system rests for SECONDS (60), then its processes are measured
for SECONDS. Beside it runs a second object store with the same arguments and GOMEMLIMIT=192MiB, so that both stores
are measured in the same minute on the same machine.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import psutil
from goals import RESTING_SHARE, RESTING_STORE, Outcome, conclude, ratio
from whole_system import System, link

from persistent_session.data_folder import DataFolder
from persistent_session.services.table import S3_SERVICE
from persistent_session.stack import ports, running_stack, seaweed
from persistent_session.stack.certificate import new_certificate
from shared.clock import SystemClock, sleep_blocking
from shared.testing import eventually_sync
from shared.testing.process import Process, program
from standin.process import StandInProcess

LIMIT = "192MiB"


@contextmanager
def store_with_limit(folder: Path) -> Iterator[psutil.Process]:
    folder.mkdir()
    with ports.Reservations() as reservations:
        chosen = ports.choose([port.name for port in S3_SERVICE.ports], {}, reservations)
    name, *arguments = S3_SERVICE.command
    keys = {use.variable: f"bench-{number:020}" for number, use in enumerate(S3_SERVICE.secrets) if use.variable}
    tls = folder / "tls"
    tls.write_text(new_certificate())
    env = {"PATH": os.environ["PATH"], **S3_SERVICE.environment, **keys, "GOMEMLIMIT": LIMIT}
    command = [program(name), *arguments, *seaweed.arguments(folder, chosen, tls)]
    store = Process(command, log_file=folder / "weed.log", env=env | seaweed.environment(tls), folder=folder)
    try:
        yield psutil.Process(store.pid)
    finally:
        store.stop()


def cpu_seconds(processes: Iterable[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes if process.is_running()]
    return sum(time.user + time.system for time in times)


def megabytes(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 2**20


def backed_up(system: System) -> bool:
    return bool(system.post("backups").json().get("backups"))


def judge(store: float, limited: float, system: float) -> list[Outcome]:
    """Each figure in percent of a core."""
    return [
        RESTING_STORE.judge(ratio(store, limited), beside=f"{limited:.2f} % of a core with the limit"),
        RESTING_SHARE.judge(ratio(store, system), beside=f"{system:.2f} % of a core for the system"),
    ]


def main(seconds: float) -> int:
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as folder, StandInProcess(Path(folder) / "standin") as standin:
        system = System(Path(folder), standin.web_url)
        try:
            system.up()
            link(system, standin.phone)
            eventually_sync(lambda: backed_up(system), timeout=60, message="no backup was made")
            running = running_stack.read(DataFolder(system.data))
            assert running is not None
            store = psutil.Process(running.processes[S3_SERVICE.name])
            with store_with_limit(Path(folder) / "limited") as limited:
                sleep_blocking(seconds)
                groups = {"system": system.processes(), "store": [store], "limited": [limited]}
                began = clock.monotonic()
                before = {name: cpu_seconds(processes) for name, processes in groups.items()}
                sleep_blocking(seconds)
                used = {name: cpu_seconds(processes) - before[name] for name, processes in groups.items()}
                took = clock.monotonic() - began
                memory, limited_memory = megabytes(store), megabytes(limited)
        finally:
            system.end()
    percent = {name: 100 * value / took for name, value in used.items()}
    print(f"system at rest for {took:.0f} s: {percent['system']:.1f} % of a core, {len(groups['system'])} processes")
    print(f"object store: {percent['store']:.2f} % of a core, {memory:.0f} MB")
    print(f"object store with GOMEMLIMIT={LIMIT}: {percent['limited']:.2f} % of a core, {limited_memory:.0f} MB")
    return conclude(judge(percent["store"], percent["limited"], percent["system"]))


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0))
