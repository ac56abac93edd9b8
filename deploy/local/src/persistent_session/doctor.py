"""What a machine needs to run a system, what it has, and how to get the rest.

Each check is a small function that returns findings; none changes anything. Trap: a program that exists may still not
start (missing libraries), so the ones that matter are run once.
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

import psutil

from persistent_session.settings import StackSettings
from persistent_session.stack import holding, ports
from persistent_session.stack.programs import find_wa_js
from shared.browsers import NoBrowser, browser_of, is_headless_shell

GIGABYTE = 1024**3
LEAST_FREE_DISK, GOOD_FREE_DISK = 1 * GIGABYTE, 5 * GIGABYTE
LEAST_MEMORY = int(0.7 * GIGABYTE)
SET_UP = "make up    (it installs what is missing)"


class Level(Enum):
    GOOD = "good"
    NOTE = "note"
    WARNING = "warning"
    MISSING = "missing"


@dataclass(frozen=True, kw_only=True)
class Finding:
    level: Level
    what: str
    said: str
    fix: str = ""


def examine(settings: StackSettings, environ: Mapping[str, str]) -> list[Finding]:
    return [
        *_python(),
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


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(level=Level.GOOD, what="python", said=version)


def _program(name: str, argument: str) -> Iterator[Finding]:
    beside = Path(sys.prefix) / "bin" / name
    path = str(beside) if beside.exists() else shutil.which(name)
    said = _asked(path, argument) if path else ""
    if not said:
        yield Finding(level=Level.MISSING, what=name, said="is missing or does not start", fix=SET_UP)
        return
    yield Finding(level=Level.GOOD, what=name, said=said)


def _asked(program: str, argument: str) -> str:
    """The first line a program says about its version; "" when it does not start."""
    try:
        done = subprocess.run([program, argument], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0][:80] if done.returncode == 0 and lines else ""


def _browser(environ: Mapping[str, str]) -> Iterator[Finding]:
    try:
        path = browser_of(environ)
    except NoBrowser as missing:
        fix = "as root: apt-get install chromium-headless-shell; elsewhere: .venv/bin/playwright install chromium"
        yield Finding(level=Level.MISSING, what="browser", said=str(missing).partition(":")[0], fix=fix)
        return
    said = _asked(str(path), "--version")
    if not said:
        fix = "as root: .venv/bin/playwright install-deps chromium"
        yield Finding(level=Level.MISSING, what="browser", said=f"{path} does not start", fix=fix)
        return
    yield Finding(level=Level.GOOD, what="browser", said=f"{said} ({path})")
    if not is_headless_shell(path):
        fix = "as root: apt-get install chromium-headless-shell"
        yield Finding(level=Level.NOTE, what="browser", said="the headless shell needs 40 % less memory", fix=fix)


def _wa_js(environ: Mapping[str, str]) -> Iterator[Finding]:
    path = environ.get("WA_JS_PATH") or find_wa_js()
    if path and Path(path).is_file():
        yield Finding(level=Level.GOOD, what="wa-js", said=path)
    else:
        yield Finding(level=Level.MISSING, what="wa-js", said="is not installed", fix=SET_UP)


def _node() -> Iterator[Finding]:
    path = shutil.which("node")
    said = _asked(path, "--version") if path else ""
    if said:
        yield Finding(level=Level.GOOD, what="node", said=said)
    else:
        yield Finding(level=Level.NOTE, what="node", said="absent; only the set-up and the tests need it, and bring it")


def _memory() -> Iterator[Finding]:
    free = psutil.virtual_memory().available
    said = f"{free / GIGABYTE:.1f} GB available"
    if free < LEAST_MEMORY:
        fix = "a session needs about 0.7 GB with everything: close other programs or add memory"
        yield Finding(level=Level.WARNING, what="memory", said=said, fix=fix)
    else:
        yield Finding(level=Level.GOOD, what="memory", said=said)


def _disk(settings: StackSettings) -> Iterator[Finding]:
    folders = {settings.data_dir, settings.session_path, settings.backup_session_path}
    for folder in sorted({_existing(folder) for folder in folders}):
        free = shutil.disk_usage(folder).free
        said = f"{free / GIGABYTE:.1f} GB free at {folder}"
        level = Level.MISSING if free < LEAST_FREE_DISK else Level.WARNING if free < GOOD_FREE_DISK else Level.GOOD
        yield Finding(level=level, what="disk", said=said, fix="" if level is Level.GOOD else "make room")


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def _port(settings: StackSettings) -> Iterator[Finding]:
    port = settings.gateway_port
    if holding.is_held(settings.data_dir):
        yield Finding(level=Level.NOTE, what="port", said=f"a system runs on {settings.data_dir}")
    elif ports.is_free(port, settings.gateway_host):
        yield Finding(level=Level.GOOD, what="port", said=f"{port} is free")
    else:
        who = ports.holder(port) or "another program"
        fix = f"stop it, or choose another: GATEWAY_PORT={ports.next_free(port, settings.gateway_host)}"
        yield Finding(level=Level.MISSING, what="port", said=f"GATEWAY_PORT {port} is taken by {who}", fix=fix)


def _folders(settings: StackSettings) -> Iterator[Finding]:
    for folder in (settings.data_dir, settings.session_path, settings.backup_session_path):
        if not _writable(_existing(folder)):
            fix = f"give yourself the right to write there: chown -R $(id -un) {folder}"
            yield Finding(level=Level.MISSING, what="folder", said=f"{folder} cannot be written", fix=fix)
        elif folder.exists() and _open_to_others(folder):
            yield Finding(
                level=Level.WARNING, what="folder", said=f"{folder} is open to others", fix=f"chmod 700 {folder}"
            )


def _writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def _open_to_others(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def _keys(settings: StackSettings) -> Iterator[Finding]:
    folder = settings.keys_dir
    if not folder.is_dir():
        yield Finding(level=Level.NOTE, what="keys", said=f"none yet; the first start makes them in {folder}")
        return
    loose = [path for path in sorted(folder.iterdir()) if path.is_file() and _open_to_others(path)]
    for path in loose:
        yield Finding(level=Level.WARNING, what="keys", said=f"{path} can be read by others", fix=f"chmod 600 {path}")
    empty = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.stat().st_size]
    for path in empty:
        yield Finding(level=Level.MISSING, what="keys", said=f"{path} is empty", fix="put it back from a copy")
    if not loose and not empty:
        yield Finding(level=Level.GOOD, what="keys", said=f"in {folder}; keep a copy of master-key elsewhere")


def _fonts() -> Iterator[Finding]:
    lister = shutil.which("fc-list")
    found = bool(_asked(lister, ":lang=ar")) if lister else False
    if found:
        yield Finding(level=Level.GOOD, what="fonts", said="Arabic letters can be drawn")
    else:
        fix = "as root: apt-get install fontconfig fonts-noto-core"
        yield Finding(level=Level.NOTE, what="fonts", said="none for Arabic; only screenshots need them", fix=fix)
