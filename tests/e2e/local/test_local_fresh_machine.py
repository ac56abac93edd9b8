"""The set-up in a fresh clone: whole, quick the second time, safe when it is interrupted or started twice."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared.clock import SystemClock
from shared.testing import eventually_sync

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What git would hand to a user, with what is not committed yet."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (tmp_path / "clone" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / "clone" / name)
    return tmp_path / "clone"


def _set_up(clone: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "deploy/local/prepare.py", "run"],
        cwd=clone,
        env={**{k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _finish(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said
    return said


def test_a_fresh_clone_is_set_up_and_the_second_time_takes_less_than_a_second(clone: Path) -> None:
    said = _finish(_set_up(clone))
    for step in ("Python environment", "uv", "Python packages", "our own packages", "Node packages", "browser"):
        assert step in said
    assert "warn" not in said.lower()
    clock = SystemClock()
    began = clock.monotonic()
    assert _finish(_set_up(clone)) == ""
    assert clock.monotonic() - began < 1.0
    doctor = subprocess.run([clone / ".venv" / "bin" / "persistent-session", "doctor"], cwd=clone, capture_output=True)
    assert doctor.returncode == 0, doctor.stdout


def test_two_set_ups_at_once_do_the_work_once(clone: Path) -> None:
    first, second = _set_up(clone), _set_up(clone)
    said = sorted([_finish(first), _finish(second)], key=len)
    assert "another set-up is at work" in said[0]
    assert "Set up in" not in said[0]
    assert "Set up in" in said[1]


@pytest.mark.parametrize("step", ["pip", "uv"])
def test_an_interrupted_set_up_goes_on_at_the_next_start(clone: Path, step: str) -> None:
    process = _set_up(clone)
    there = clone / ".venv" / "bin" / step
    eventually_sync(there.exists, timeout=120, interval=0.01)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "run the same command again" in said
    assert "Traceback" not in said
    assert "Set up in" in _finish(_set_up(clone))


def test_without_a_network_there_is_one_line_and_what_to_do(clone: Path, tmp_path: Path) -> None:
    dead = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "PIP_RETRIES": "0"}
    process = _set_up(clone, **dead, UV_CACHE_DIR=str(tmp_path / "empty"), PIP_NO_CACHE_DIR="1")
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "✗ " in said
    assert "check the network" in said
    assert "Traceback" not in said
