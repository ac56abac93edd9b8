"""What one process, or what lies about on the disk, gives away to another."""

from __future__ import annotations

import os
import pwd
import shutil
import site
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from whole_system import System, command_line

from persistent_session.data_folder import DataFolder
from persistent_session.services.secrets import MASTER_KEY
from persistent_session.services.table import BACKUP_SERVICE, WORKER_SERVICE
from persistent_session.stack import ports, running_stack, seaweed
from shared.testing import eventually_sync, free_port
from standin.client import Phone
from standin.process import StandInProcess

OTHERS_PYTHON = Path("/usr/bin") / f"python{sys.version_info.major}.{sys.version_info.minor}"
NOBODY = "nobody"


class Linked:
    """A linked system that was given a temp folder of its own, and every QR text that it has shown."""

    def __init__(self, folder: Path, standin: StandInProcess) -> None:
        self.temp = folder / "temp"
        self.temp.mkdir()
        self.system = System(folder, standin.web_url, TMPDIR=str(self.temp))
        self.data = DataFolder(self.system.data)
        self.qr_texts: set[str] = set()

    def link(self, phone: Phone) -> None:
        self.system.up()
        self.system.until("pairing")
        eventually_sync(self._qr_seen, timeout=30, message="no QR was shown")
        phone.scan()
        self.system.until("connected")

    def _qr_seen(self) -> bool:
        found = self.system.get()["status"].get("qrCode")
        if found:
            self.qr_texts.add(str(found))
        return bool(found)

    def sockets(self) -> list[Path]:
        return [path for path in seaweed.sockets(ports.read(self.data.ports)) if path.exists()]

    def pid(self, service: str) -> int:
        running = running_stack.read(self.data)
        assert running is not None
        return running.processes[service]


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory, standin: StandInProcess, phone: Phone) -> Iterator[Linked]:
    made = Linked(tmp_path_factory.mktemp("linked"), standin)
    try:
        made.link(phone)
        yield made
    finally:
        made.system.end()


def test_a_spent_qr_text_lies_in_no_file(linked: Linked) -> None:
    """The parts of the text that only one QR code has: it names the phone's key as well."""
    secrets = {part for text in linked.qr_texts for part in text.split(",") if len(part) >= 16}
    assert secrets
    files = [path for path in linked.system.folder.rglob("*") if path.is_file()]
    assert any(path.is_relative_to(linked.data.volume("nats")) for path in files)
    found = {str(path) for path in files for secret in secrets if secret.encode() in content(path)}
    assert found == set()


def content(path: Path) -> bytes:
    """b"" for what went while the system ran on."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def test_the_master_key_reaches_the_backup_service_alone(linked: Linked) -> None:
    path = linked.data.key(MASTER_KEY.name)
    value = path.read_text().strip()
    backup = linked.pid(BACKUP_SERVICE.name)
    knowing, asked = set(), 0
    for process in linked.system.processes():
        try:
            told = [*process.cmdline(), *process.environ().values(), *(file.path for file in process.open_files())]
        except psutil.NoSuchProcess:
            continue
        asked += 1
        if any(str(path) in text or value in text for text in told):
            knowing.add(process.pid)
    assert knowing == {backup}
    assert asked > 6


def test_a_browser_is_told_no_key_and_no_path_of_one(linked: Linked) -> None:
    worker = psutil.Process(linked.pid(WORKER_SERVICE.name))
    told = []
    for process in worker.children(recursive=True):
        try:
            if "chrom" in process.name():
                told.append(" ".join([*process.cmdline(), *process.environ().values()]))
        except psutil.Error:
            continue
    assert told
    assert [text for text in told if str(linked.data.keys) in text] == []


def test_nothing_lies_in_a_temp_folder_after_a_kill_and_a_stop(linked: Linked) -> None:
    assert list(linked.temp.iterdir()) == []
    assert list(linked.data.temp.iterdir())
    sockets = linked.sockets()
    assert sockets
    linked.system.kill_everything()
    assert linked.sockets() == sockets
    left = linked.data.temp / "left-by-a-kill"
    left.touch()
    linked.system.up()
    assert not left.exists()
    linked.system.until("connected", timeout=120)
    assert linked.system.stop() == 0
    assert linked.sockets() == []
    assert not linked.data.temp.exists()
    assert list(linked.temp.iterdir()) == []


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder of the user `nobody`'s in a place that everybody reaches."""
    folder = Path(tempfile.mkdtemp(prefix="run-as-"))
    user = pwd.getpwnam(NOBODY)
    os.chown(folder, user.pw_uid, user.pw_gid)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may start a program as another user")
@pytest.mark.skipif(not OTHERS_PYTHON.exists(), reason="no Python here may be run by another user")
def test_started_as_root_it_runs_as_the_owner_of_its_data_with_the_sandbox_on(
    reachable: Path, standin: StandInProcess
) -> None:
    port = free_port()
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHONPATH": os.pathsep.join([*(path for path in sys.path if "python3" not in path), *site.getsitepackages()]),
        "DATA_DIR": str(reachable / "data"), "SESSION_PATH": str(reachable / "sessions"), "HOME": "/root",
        "BACKUP_SESSION_PATH": str(reachable / "saves"), "GATEWAY_PORT": str(port),
        "WHATSAPP_WEB_URL": standin.web_url,
    }  # fmt: skip
    log = reachable / "up.log"
    with log.open("wb") as output:
        up = subprocess.Popen(
            [str(OTHERS_PYTHON), "-m", "persistent_session", "up"], env=environment, stdout=output,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    try:
        browsers = eventually_sync(lambda: _browsers(up.pid), timeout=200, message="no browser")
        mine = [psutil.Process(up.pid), *psutil.Process(up.pid).children(recursive=True)]
        assert {uid for process in mine if process.is_running() for uid in process.uids()} == {
            pwd.getpwnam(NOBODY).pw_uid
        }
        assert [line for line in browsers if "--no-sandbox" in line] == []
        assert "runs as nobody" in log.read_text()
        eventually_sync(lambda: "Ctrl-C" in log.read_text(), timeout=60, message="the start did not end")
        assert httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=6, trust_env=False).is_success
    finally:
        up.terminate()
        assert up.wait(timeout=40) == 0, log.read_text()


def _browsers(pid: int) -> list[str]:
    """The command lines of the browsers below a process, once one shows a page."""
    lines = [" ".join(command_line(process)) for process in psutil.Process(pid).children(recursive=True)]
    return [line for line in lines if "chrom" in line] if any("--type=renderer" in line for line in lines) else []
