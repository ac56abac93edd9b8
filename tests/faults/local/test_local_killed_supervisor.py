"""The supervisor is killed: no process outlives it, and the next start ends any process that does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from supervised import journal

from persistent_session.data_folder import DataFolder
from persistent_session.stack import stale_processes
from persistent_session.stack.plan import MARK
from shared.testing import eventually_sync, free_port

SUPERVISED = str(Path(__file__).resolve().parents[2] / "support" / "supervised.py")


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Supervised]:
    started = Supervised(tmp_path)
    yield started
    started.end()


class Supervised:
    """A supervisor of fake services in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *services: str) -> int:
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, SUPERVISED, str(self.folder), *services],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        eventually_sync(lambda: (self.folder / "ready").exists(), timeout=20)
        return self._process.pid

    def kill(self) -> None:
        assert self._process
        self._process.kill()
        self._process.wait()

    def pids(self) -> dict[str, int]:
        """The newest process of each service."""
        return {line[0]: int(line[2]) for line in journal(self.folder) if line[1] == "start"}

    def children(self) -> list[int]:
        return [int(line[2]) for line in journal(self.folder) if line[1] == "child"]

    def end(self) -> None:
        for process in stale_processes.find(DataFolder(self.folder)):
            process.kill()
        if self._process and self._process.poll() is None:
            self.kill()


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_sigkill_of_the_supervisor_leaves_no_process(supervised: Supervised) -> None:
    supervised.start(f"a:{free_port()}", f"b:{free_port()}")
    pids = list(supervised.pids().values())
    assert all(map(_alive, pids))
    supervised.kill()
    eventually_sync(lambda: not any(map(_alive, pids)), timeout=5)


def test_services_are_asked_to_stop_when_the_supervisor_is_killed(supervised: Supervised) -> None:
    supervised.start(f"a:{free_port()}")
    supervised.kill()
    eventually_sync(lambda: ["a", "stop"] in [line[:2] for line in journal(supervised.folder)], timeout=5)


def test_a_service_that_ignores_the_end_of_its_supervisor_is_ended_by_the_next_start(supervised: Supervised) -> None:
    supervised.start(f"deaf:{free_port()}:deaf")
    deaf = supervised.pids()["deaf"]
    supervised.kill()
    found = stale_processes.find(DataFolder(supervised.folder))
    assert [process.pid for process in found] == [deaf]
    assert stale_processes.end(found, seconds=0.3) == 1
    assert not _alive(deaf)
    assert stale_processes.find(DataFolder(supervised.folder)) == []


def test_a_process_that_left_its_group_is_found_by_its_mark(supervised: Supervised) -> None:
    supervised.start(f"a:{free_port()}:orphan")
    (child,) = supervised.children()
    supervised.kill()
    (supervised.folder / "run" / "processes.json").unlink()
    eventually_sync(lambda: not _alive(supervised.pids()["a"]), timeout=5)
    assert [process.pid for process in stale_processes.find(DataFolder(supervised.folder))] == [child]


def test_the_orphans_of_a_killed_service_are_ended_while_the_system_runs(supervised: Supervised) -> None:
    supervised.start(f"a:{free_port()}:orphan")
    (child,) = supervised.children()
    os.kill(supervised.pids()["a"], signal.SIGKILL)
    eventually_sync(lambda: not psutil.pid_exists(child), timeout=10)
    eventually_sync(lambda: len(supervised.children()) == 2, timeout=10)
    assert _alive(supervised.children()[1]), "what belongs to the new life stays"


def test_another_systems_processes_are_not_stale(
    supervised: Supervised, tmp_path_factory: pytest.TempPathFactory
) -> None:
    supervised.start(f"a:{free_port()}")
    other = tmp_path_factory.mktemp("other")
    assert stale_processes.find(DataFolder(other)) == []
    (other / "run").mkdir()
    running = psutil.Process(supervised.pids()["a"])
    (other / "run" / "processes.json").write_text(json.dumps({str(running.pid): running.create_time() - 5}))
    assert stale_processes.find(DataFolder(other)) == [], "the same number, but another process"


def test_who_looks_for_stale_processes_never_finds_itself(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from persistent_session.data_folder import DataFolder; "
        "from persistent_session.stack import stale_processes; "
        "print(stale_processes.find(DataFolder(Path(sys.argv[1]))))"
    )
    env = {**os.environ, MARK: str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=env, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
