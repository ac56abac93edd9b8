"""What a machine needs to run a system, what it has, and how to get the rest.

Each check is a small function that yields results; none changes anything. The trap: a program that exists may still not
start because libraries are missing, so the doctor runs each program once.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import assert_never

import psutil

from persistent_session.settings import StackSettings
from persistent_session.stack import ports, run_as
from persistent_session.stack.lock_file import is_locked
from persistent_session.stack.programs import find_program, find_wa_js
from shared.browsers import NoBrowser, browser_of, is_headless_shell

GIGABYTE = 1024**3
LEAST_FREE_DISK, GOOD_FREE_DISK = 1 * GIGABYTE, 5 * GIGABYTE
LEAST_MEMORY = int(0.7 * GIGABYTE)
SET_UP = "make up    (it installs what is missing)"


class Severity(Enum):
    GOOD = "good"
    NOTE = "note"
    WARNING = "warning"
    MISSING = "missing"


def sign(severity: Severity) -> tuple[str, str]:
    """The sign by which a terminal shows a severity, and its colour."""
    match severity:
        case Severity.GOOD:
            return "✓", "green"
        case Severity.NOTE:
            return "·", "dim"
        case Severity.WARNING:
            return "!", "yellow"
        case Severity.MISSING:
            return "✗", "red"
        case _:
            assert_never(severity)


@dataclass(frozen=True)
class DoctorResult:
    severity: Severity
    subject: str
    text: str
    fix: str = ""
    """How to get what is missing."""


def examine(settings: StackSettings, environ: Mapping[str, str]) -> list[DoctorResult]:
    return [
        *_python(),
        *_user(settings, environ),
        *_program("nats-server", "-v"),
        *_program("weed", "version"),
        *_browser(environ),
        *_wa_js(environ),
        *_node(),
        *_memory(),
        *_disk(settings),
        *_port(settings),
        *_folders(settings),
        *_keys(settings),
        *_fonts(),
    ]


def _python() -> Iterator[DoctorResult]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield DoctorResult(Severity.GOOD, "python", version)


def _user(settings: StackSettings, environ: Mapping[str, str]) -> Iterator[DoctorResult]:
    decision = run_as.decide(settings, environ)
    if decision.reason:
        severity = Severity.GOOD if decision.user else Severity.WARNING
        yield DoctorResult(severity, "user", decision.reason)


def _program(name: str, argument: str) -> Iterator[DoctorResult]:
    path = find_program(name)
    text = _version(path, argument) if path else ""
    if not text:
        yield DoctorResult(Severity.MISSING, name, "is missing or does not start", SET_UP)
        return
    yield DoctorResult(Severity.GOOD, name, text)


def _version(program: str, argument: str) -> str:
    """The first line that a program prints about its version; "" when the program does not start."""
    try:
        done = subprocess.run([program, argument], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0][:80] if done.returncode == 0 and lines else ""


def _browser(environ: Mapping[str, str]) -> Iterator[DoctorResult]:
    try:
        path = browser_of(environ)
    except NoBrowser as missing:
        fix = "as root: apt-get install chromium-headless-shell; elsewhere: .venv/bin/playwright install chromium"
        text = str(missing).partition(":")[0]
        yield DoctorResult(Severity.MISSING, "browser", text, fix)
        return
    version = _version(str(path), "--version")
    if not version:
        fix = "as root: .venv/bin/playwright install-deps chromium"
        yield DoctorResult(Severity.MISSING, "browser", f"{path} does not start", fix)
        return
    yield DoctorResult(Severity.GOOD, "browser", f"{version} ({path})")
    if not is_headless_shell(path):
        fix = "as root: apt-get install chromium-headless-shell"
        text = "the headless shell needs 40 % less memory"
        yield DoctorResult(Severity.NOTE, "browser", text, fix)


def _wa_js(environ: Mapping[str, str]) -> Iterator[DoctorResult]:
    path = environ.get("WA_JS_PATH") or find_wa_js()
    if path and Path(path).is_file():
        yield DoctorResult(Severity.GOOD, "wa-js", path)
    else:
        yield DoctorResult(Severity.MISSING, "wa-js", "is not installed", SET_UP)


def _node() -> Iterator[DoctorResult]:
    path = shutil.which("node")
    text = _version(path, "--version") if path else ""
    if text:
        yield DoctorResult(Severity.GOOD, "node", text)
    else:
        yield DoctorResult(Severity.NOTE, "node", "absent; only the set-up and the tests need it, and bring it")


def _memory() -> Iterator[DoctorResult]:
    free = psutil.virtual_memory().available
    text = f"{free / GIGABYTE:.1f} GB available"
    if free < LEAST_MEMORY:
        fix = "a session needs about 0.7 GB with everything: close other programs or add memory"
        yield DoctorResult(Severity.WARNING, "memory", text, fix)
    else:
        yield DoctorResult(Severity.GOOD, "memory", text)


def _disk(settings: StackSettings) -> Iterator[DoctorResult]:
    folders = {settings.data.path, settings.session_path, settings.backup_session_path}
    for folder in sorted({run_as.existing(folder) for folder in folders}):
        free = shutil.disk_usage(folder).free
        text = f"{free / GIGABYTE:.1f} GB free at {folder}"
        severity = _disk_severity(free)
        yield DoctorResult(severity, "disk", text, "" if severity is Severity.GOOD else "make room")


def _disk_severity(free: int) -> Severity:
    if free < LEAST_FREE_DISK:
        return Severity.MISSING
    return Severity.WARNING if free < GOOD_FREE_DISK else Severity.GOOD


def _port(settings: StackSettings) -> Iterator[DoctorResult]:
    port = settings.gateway_port
    if is_locked(settings.data):
        yield DoctorResult(Severity.NOTE, "port", f"a system runs on {settings.data.path}")
    elif ports.is_free(port, settings.gateway_host):
        yield DoctorResult(Severity.GOOD, "port", f"{port} is free")
    else:
        program = ports.holder(port) or "another program"
        fix = f"stop that program, or choose another port: GATEWAY_PORT={ports.next_free(port, settings.gateway_host)}"
        yield DoctorResult(Severity.MISSING, "port", f"GATEWAY_PORT {port} is taken by {program}", fix)


def _folders(settings: StackSettings) -> Iterator[DoctorResult]:
    for folder in (settings.data.path, settings.session_path, settings.backup_session_path):
        if not _writable(run_as.existing(folder)):
            fix = f"give yourself the right to write there: chown -R $(id -un) {folder}"
            yield DoctorResult(Severity.MISSING, "folder", f"{folder} cannot be written", fix)
        elif folder.exists() and _open_to_others(folder):
            yield DoctorResult(
                Severity.WARNING,
                "folder",
                f"{folder} is open to others",
                fix=f"chmod 700 {folder}",
            )


def _writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def _open_to_others(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def _keys(settings: StackSettings) -> Iterator[DoctorResult]:
    folder = settings.data.keys
    if not folder.is_dir():
        yield DoctorResult(Severity.NOTE, "keys", f"none yet; the first start makes them in {folder}")
        return
    loose = [path for path in sorted(folder.iterdir()) if path.is_file() and _open_to_others(path)]
    for path in loose:
        yield DoctorResult(Severity.WARNING, "keys", f"{path} can be read by others", f"chmod 600 {path}")
    empty = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.stat().st_size]
    for path in empty:
        yield DoctorResult(Severity.MISSING, "keys", f"{path} is empty", "put it back from a copy")
    if not loose and not empty:
        yield DoctorResult(Severity.GOOD, "keys", f"in {folder}; keep a copy of master-key elsewhere")


def _fonts() -> Iterator[DoctorResult]:
    lister = shutil.which("fc-list")
    found = bool(_version(lister, ":lang=ar")) if lister else False
    if found:
        yield DoctorResult(Severity.GOOD, "fonts", "Arabic letters can be drawn")
    else:
        fix = "as root: apt-get install fontconfig fonts-noto-core"
        yield DoctorResult(Severity.NOTE, "fonts", "none for Arabic; only screenshots need them", fix)
