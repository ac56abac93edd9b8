"""`persistent-session demo` as a user meets it: started, linked, used, broken, stopped."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from persistent_session.data_folder import DataFolder
from persistent_session.errors import ExitCode
from persistent_session.stack import running_stack, stale_processes
from persistent_session.stack.running_stack import RunningStack
from shared.clock import SystemClock
from shared.testing import eventually_sync, free_port

pytestmark = [pytest.mark.system, pytest.mark.browser, pytest.mark.timeout(240)]

NUMBER = "201234567890"


class Demo:
    """A demo in a folder of its own, with everything that it printed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data" / "demo"
        self.out = folder / "out.txt"
        self.port = free_port()
        self.environment: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.launch()
        eventually_sync(self._started, timeout=60, message="the demo did not start")

    def launch(self) -> None:
        with self.out.open("wb") as out:
            self._process = subprocess.Popen(
                self._command("demo"), cwd=self.folder, env=self._env(), stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def _started(self) -> bool:
        assert self._process
        assert self._process.poll() is None, self.printed()
        return "Ctrl-C stops" in self.printed()

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "persistent_session", *arguments]

    def _env(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        return {**kept, "GATEWAY_PORT": str(self.port), "COLUMNS": "120", **self.environment}

    def printed(self) -> str:
        return self.out.read_text()

    def stack(self) -> RunningStack:
        found = running_stack.read(DataFolder(self.data))
        assert found
        return found

    def cli(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            self._command(*arguments), cwd=self.folder, env=self._env(), capture_output=True, text=True, timeout=90,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}\n{self.printed()}"
        return done.stdout + done.stderr

    def link(self) -> None:
        self.cli("demo", "link")
        self.cli("wait", "--connected", "--timeout", "60")

    def owner(self) -> str:
        """The worker that says that the session is connected; "" when none does."""
        status = json.loads(self.cli("status", "--json"))["status"]
        return str(status["worker"]) if status["isConnected"] else ""

    def listening(self) -> set[tuple[str, int]]:
        """The address and port of each socket that a process of the system listens on."""
        pids = self.stack().processes.values()
        processes = [each for pid in pids for each in (psutil.Process(pid), *psutil.Process(pid).children(True))]
        sockets = [each for process in processes for each in process.net_connections("inet")]
        return {(each.laddr.ip, each.laddr.port) for each in sockets if each.status == psutil.CONN_LISTEN}

    def signal(self, number: int) -> None:
        assert self._process
        self._process.send_signal(number)

    def wait(self, *, timeout: float) -> int:
        assert self._process
        return self._process.wait(timeout=timeout)

    def end(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        stale_processes.end(stale_processes.find(DataFolder(self.data)), seconds=0)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    made = Demo(tmp_path)
    yield made
    made.end()


def test_from_one_command_to_a_message_sent_and_back_after_a_restart(demo: Demo) -> None:
    demo.start()
    key = (demo.data / "keys" / "api-key").read_text().strip()
    assert demo.printed().count(key) == 1, "the key is shown once"
    assert f"http://127.0.0.1:{demo.port}/persistent-session" in demo.printed()
    standin = demo.stack().standin
    assert standin
    phone_key = (demo.data / "keys" / "standin-key").read_text().strip()
    opened = f"{standin.phone_url}#key={phone_key}"
    assert f"virtual phone  {opened}   (or: persistent-session demo link)" in demo.printed()
    assert f"its page: {opened}" in demo.cli("demo", "phone")
    assert httpx.get(standin.phone_url, trust_env=False).status_code == 200
    state, owner = f"{standin.phone_url}/state", {"Authorization": f"Bearer {phone_key}"}
    assert [httpx.get(state, headers=headers, trust_env=False).status_code for headers in ({}, owner)] == [401, 200]

    assert "█" in demo.cli("qr", "--once")
    demo.cli("send-test", NUMBER, "too early", code=1)
    demo.link()
    assert "(ack 1)" in demo.cli("send-test", NUMBER, "hello")
    assert "messages that arrived: 1" in demo.cli("demo", "phone")
    demo.cli("backup")
    eventually_sync(lambda: json.loads(demo.cli("backups", "--json")), timeout=30)
    assert "connected" in demo.cli("status")
    assert json.loads(demo.cli("status", "--json"))["status"]["isConnected"] is True

    clock = SystemClock()
    began = clock.monotonic()
    demo.signal(signal.SIGINT)
    assert demo.wait(timeout=25) == 0
    assert clock.monotonic() - began < 20
    order = re.findall(r"✓ (\S+)\s+stopped", demo.printed())
    assert order == ["gateway", "browser-worker", "health", "backup", "s3", "nats", "stand-in"]
    assert stale_processes.find(DataFolder(demo.data)) == []

    demo.start()
    assert key not in demo.printed(), "the key is shown only when it is made"
    demo.cli("wait", "--connected", "--timeout", "60")
    assert demo.cli("demo", "phone").count("linked ") >= 1
    assert NUMBER not in demo.printed()


def test_nothing_secret_is_open_to_others_on_disk_or_beyond_this_machine(demo: Demo) -> None:
    demo.environment = {"GATEWAY_HOST": "0.0.0.0", "HTTP_HOST": "0.0.0.0"}
    demo.start()
    demo.link()
    listening = demo.listening()
    assert len(listening) > 10
    assert {port for address, port in listening if address != "127.0.0.1"} == {demo.port}
    open_to_others = [
        path
        for path in (demo.data / "keys", demo.data / "run", demo.data / "logs")
        for path in (path, *path.rglob("*"))
        if path.is_file() and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    assert [path for path in open_to_others if path.name not in ("ports.json", "standin.json", "lock")] == []
    assert stat.S_IMODE(demo.data.stat().st_mode) == 0o700, "nobody else gets below the data folder at all"


def backups(demo: Demo) -> str:
    """What the command prints; "" while the backup service and its object store are on their way back."""
    try:
        return demo.cli("backups")
    except AssertionError:
        return ""


def test_every_service_that_dies_comes_back_and_the_session_with_it(demo: Demo) -> None:
    demo.start()
    demo.link()
    first_owner = demo.owner()
    for name in ("gateway", "health", "backup", "s3", "nats", "browser-worker"):
        before = demo.stack().processes[name]
        os.kill(before, signal.SIGKILL)
        eventually_sync(lambda: demo.stack().processes[name] not in (0, before), timeout=20)  # noqa: B023
    # The killed worker counts as alive until it was silent for some seconds.
    eventually_sync(lambda: demo.owner() not in ("", first_owner), timeout=60, message="nobody took the session over")
    demo.cli("wait", "--connected", "--timeout", "60")
    demo.cli("send-test", NUMBER, "after all that")
    assert "never" not in eventually_sync(lambda: backups(demo), timeout=60, message="no backups are listed again")
    states = [
        device.split() for device in demo.cli("demo", "phone").splitlines() if "linked" in device and "│" in device
    ]
    assert len(states) == 1, "no second device was linked"


def test_sigkill_of_the_supervisor_leaves_no_process_and_the_next_start_connects(demo: Demo) -> None:
    demo.start()
    demo.link()
    processes = [psutil.Process(pid) for pid in demo.stack().processes.values()]
    browsers = [child for process in processes for child in process.children(recursive=True)]
    assert browsers
    demo.signal(signal.SIGKILL)
    demo.wait(timeout=5)
    _, alive = psutil.wait_procs([*processes, *browsers], timeout=15)
    assert alive == []
    demo.start()
    demo.cli("wait", "--connected", "--timeout", "60")


def test_two_systems_run_side_by_side(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Demo(tmp_path_factory.mktemp("other"))
    try:
        demo.start()
        other.start()
        demo.link()
        assert "pairing" in other.cli("status")
        other.link()
        mine, theirs = demo.stack(), other.stack()
        assert not set(mine.http_ports.values()) & set(theirs.http_ports.values())
        other.signal(signal.SIGTERM)
        other.wait(timeout=25)
        assert "connected" in demo.cli("status")
    finally:
        other.end()


def test_ctrl_c_during_the_start_stops_what_has_started(demo: Demo) -> None:
    demo.launch()
    eventually_sync(lambda: "nats " in demo.printed(), timeout=30)
    demo.signal(signal.SIGINT)
    assert demo.wait(timeout=25) == ExitCode.INTERRUPTED
    assert "Ctrl-C stops everything" not in demo.printed(), "the start had not ended"
    assert re.search(r"✓ nats\s+stopped", demo.printed())
    assert stale_processes.find(DataFolder(demo.data)) == []


def test_a_second_ctrl_c_hurries(demo: Demo) -> None:
    demo.start()
    demo.link()
    os.kill(demo.stack().processes["browser-worker"], signal.SIGSTOP)
    clock = SystemClock()
    began = clock.monotonic()
    demo.signal(signal.SIGINT)
    eventually_sync(lambda: "Stopping" in demo.printed())
    demo.signal(signal.SIGINT)
    demo.wait(timeout=15)
    assert clock.monotonic() - began < 10
    eventually_sync(lambda: stale_processes.find(DataFolder(demo.data)) == [], timeout=10)
