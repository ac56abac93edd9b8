"""The command `persistent-session` as a user types it, where no system is needed."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from persistent_session.data_folder import DataFolder
from persistent_session.errors import ExitCode
from persistent_session.services.secrets import API_KEY, MASTER_KEY
from persistent_session.stack.keys import open_keys
from persistent_session.stack.lock_file import locked


class Result:
    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def text(self) -> str:
        return self.out + self.err


def _run(folder: Path, *arguments: str, answer: str = "", **environment: str) -> Result:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-m", "persistent_session", *arguments],
        cwd=folder,
        env={**kept, "COLUMNS": "100", **environment},
        input=answer,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return Result(done)


def test_the_help_names_every_command_and_every_exit_code(tmp_path: Path) -> None:
    found = _run(tmp_path, "--help")
    assert found.code == 0
    for command in (
        "up", "demo", "status", "wait", "qr", "link-code", "initialize", "health-check", "send-test", "backups",
        "backup", "restore", "clear", "doctor", "key",
    ):  # fmt: skip
        assert f"  {command} " in found.out
    commands = found.out.partition("Commands:")[2]
    assert commands.count("\n") >= 15
    assert "..." not in commands, "the first sentence of each command fits on its line"
    assert "\n  Exit codes: 0 done" in found.out
    for code in ExitCode:
        assert str(int(code)) in found.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"], ["status", "--json"], ["qr"], ["link-code", "201234567890"], ["send-test", "201234567890", "hi"],
        ["backups"], ["backup"], ["restore", "--yes"], ["clear", "--yes"], ["initialize"], ["health-check"],
        ["demo", "link"], ["demo", "unlink"], ["demo", "phone"], ["wait", "--timeout", "0"],
    ],
)  # fmt: skip
def test_without_a_system_each_command_says_so_in_one_line_with_a_hint(tmp_path: Path, arguments: list[str]) -> None:
    found = _run(tmp_path, *arguments)
    assert found.code == ExitCode.NOT_RUNNING
    lines = found.err.strip().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("✗ ")
    assert lines[1].startswith("  → ")
    assert found.out == ""


def test_a_wrong_command_is_a_usage_fault(tmp_path: Path) -> None:
    assert _run(tmp_path, "stauts").code == ExitCode.USAGE
    assert _run(tmp_path, "send-test", "201234567890").code == ExitCode.USAGE


def test_all_wrong_settings_are_told_before_anything_is_started(tmp_path: Path) -> None:
    found = _run(tmp_path, "up", GATEWAY_PORT="x", LEASE_POLICY="y")
    assert found.code == ExitCode.USAGE
    assert "GATEWAY_PORT" in found.err
    assert "LEASE_POLICY" in found.err
    assert list(tmp_path.iterdir()) == []


def test_a_taken_gateway_port_is_told_with_its_holder_and_a_free_one_to_choose(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = _run(tmp_path, "up", GATEWAY_PORT=str(port))
    assert found.code == ExitCode.BUSY
    assert f"GATEWAY_PORT {port} is taken by" in found.err
    assert f"(pid {os.getpid()})" in found.err
    assert "such as GATEWAY_PORT=" in found.err
    assert len(found.err.strip().splitlines()) == 2


def test_a_second_system_on_the_same_data_is_refused_with_the_first_ones_process(tmp_path: Path) -> None:
    with locked(DataFolder(tmp_path / "data")):
        found = _run(tmp_path, "up")
    assert found.code == ExitCode.BUSY
    assert f"already runs on {tmp_path / 'data'} (process {os.getpid()})" in found.err


def test_a_data_folder_that_cannot_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = _run(tmp_path, "up", DATA_DIR="file/data")
    assert found.code == ExitCode.FAILED
    assert "cannot be used" in found.err
    assert "Traceback" not in found.text


def test_without_a_browser_the_start_says_how_to_get_one(tmp_path: Path) -> None:
    empty = tmp_path / "nothing"
    empty.mkdir()
    code = (
        "import sys; from shared import browsers; browsers._FIXED = {'headless-shell': (), 'chromium': ()}; "
        "sys.argv = ['persistent-session', 'up']; from persistent_session.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PATH": str(empty), "HOME": str(empty), "GATEWAY_PORT": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "no Chromium was found" in done.stderr or "GATEWAY_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_address_and_a_wrong_key_are_told_apart(tmp_path: Path) -> None:
    nobody = _run(tmp_path, "status", "--url", "http://127.0.0.1:9", API_KEY="k")
    assert nobody.code == ExitCode.NOT_RUNNING
    keyless = _run(tmp_path, "status", "--url", "http://127.0.0.1:9")
    assert keyless.code == ExitCode.DENIED
    assert "API_KEY" in keyless.err


def test_the_key_is_shown_only_when_asked_for(tmp_path: Path) -> None:
    assert _run(tmp_path, "key").code == ExitCode.FAILED
    keys = open_keys(DataFolder(tmp_path / "data"))
    assert _run(tmp_path, "key").out.strip() == str(keys.path(API_KEY))
    assert _run(tmp_path, "key", "--show").out.strip() == keys.read(API_KEY)


def test_the_doctor_finds_this_machine_fit(tmp_path: Path) -> None:
    found = _run(tmp_path, "doctor")
    assert found.code == 0, found.text
    for what in ("python", "nats-server", "weed", "browser", "wa-js", "memory", "disk", "port", "keys"):
        assert what in found.out


def test_the_doctor_says_what_is_missing_and_how_to_get_it(tmp_path: Path) -> None:
    keys = open_keys(DataFolder(tmp_path / "data"))
    keys.path(MASTER_KEY).chmod(0o644)
    keys.path(API_KEY).write_text("")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        found = _run(tmp_path, "doctor", GATEWAY_PORT=port, BROWSER_EXECUTABLE="/bin/false", WA_JS_PATH="/nowhere")
    assert found.code == ExitCode.FAILED
    for said in ("/bin/false does not start", "chmod 600", "api-key is empty", f"{port} is taken", "make up"):
        assert said in found.out
    assert stat.S_IMODE(keys.path(MASTER_KEY).stat().st_mode) == 0o644, "the doctor looks and changes nothing"


class _Gateway(BaseHTTPRequestHandler):
    """Gives the answers of `said` one after the other, and the last answer from then on."""

    said: ClassVar[list[dict[str, Any]]] = []

    def do_GET(self) -> None:
        answer = self.said.pop(0) if len(self.said) > 1 else self.said[0]
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def _saying(*answers: dict[str, Any]) -> Iterator[str]:
    handler = type("_Said", (_Gateway,), {"said": list(answers)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _connected(updated_at: str) -> dict[str, Any]:
    status = {"isConnected": True, "state": "connected", "workerAlive": True, "updatedAt": updated_at}
    return {"success": True, "status": status}


def test_a_wait_does_not_believe_the_last_word_of_a_worker_that_speaks_no_more(tmp_path: Path) -> None:
    with _saying(_connected("12:00")) as url:
        found = _run(tmp_path, "wait", "--timeout", "2", "--url", url, API_KEY="k")
        assert found.code == ExitCode.FAILED
        assert "no sign of life" in found.err
        assert _run(tmp_path, "wait", "--timeout", "0", "--url", url, API_KEY="k").code == 0
        assert _run(tmp_path, "wait", "--ready", "--timeout", "2", "--url", url, API_KEY="k").code == 0


def test_a_wait_ends_with_the_next_word_of_a_living_worker(tmp_path: Path) -> None:
    with _saying(_connected("12:00"), _connected("12:00"), _connected("12:05")) as url:
        assert _run(tmp_path, "wait", "--timeout", "20", "--url", url, API_KEY="k").out == "connected\n"
