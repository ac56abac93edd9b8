"""The run-as user: whom a system runs as where root started it, so that Chromium's sandbox is on.

Chromium refuses its sandbox to root. The whole system changes over before anything else happens, or stays root and says
why: then all works as before, without the sandbox.

The trap: a user who cannot reach the Python environment, or files that an earlier start as root made, would fail late.
So the user is asked, in a process of their own, before root is given up.
"""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from persistent_session.settings import StackSettings

DEDICATED = "persistent-session"
"""The system user that a system runs as where nothing else names one."""
_LOWEST_PORT = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
_CAN_RUN = """
import os
import backup, browser_worker, gateway, health, persistent_session.stack.run
from persistent_session.stack.programs import find_programs
find_programs(os.environ)
"""
_MAY_WRITE = "import os, sys; sys.exit(not all(os.access(p, os.R_OK | os.W_OK | os.X_OK) for p in sys.argv[1:]))"
_MAY_READ = "import os, sys; sys.exit(not all(os.access(p, os.R_OK) for p in sys.argv[1:]))"
_ASK_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Decision:
    user: pwd.struct_passwd | None
    """Whom to change over to; None where the system stays as it was started."""
    reason: str
    """One sentence for people. "" where there was nothing to decide, because another user than root started it."""


def decide(settings: StackSettings, environ: Mapping[str, str]) -> Decision:
    """Changes nothing."""
    if os.geteuid() != 0:
        return Decision(user=None, reason="")
    user = candidate(settings, environ)
    if user is None:
        return _stays_root(f"`useradd --system --create-home {DEDICATED}` makes a user to run as")
    for obstacle in _obstacles(settings, environ, user):
        return _stays_root(f"{user.pw_name} {obstacle}")
    return Decision(user=user, reason=f"runs as {user.pw_name}, so that the browser's sandbox is on")


def _stays_root(why: str) -> Decision:
    return Decision(user=None, reason=f"runs as root, so the browser's sandbox is off: {why}")


def change_over(user: pwd.struct_passwd) -> None:
    """Begin this program anew as `user`; never returns. No privilege and no group of root's stays."""
    sys.stdout.flush()
    os.initgroups(user.pw_name, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    # As a new program, because a process that was root has files in /proc that its new user may not read.
    program, arguments = sys.executable, sys.orig_argv[1:]
    os.execve(program, [program, *arguments], {**os.environ, **_own_variables(user)})  # noqa: S606


def candidate(settings: StackSettings, environ: Mapping[str, str]) -> pwd.struct_passwd | None:
    """Who called sudo, else the owner of the data folder, else the dedicated user; never root."""
    uids = (environ.get("SUDO_UID", ""), str(existing(settings.data.path).stat().st_uid))
    for uid in (int(text) for text in uids if text.isdecimal()):
        try:
            if uid:
                return pwd.getpwuid(uid)
        except (KeyError, OverflowError):
            continue
    try:
        found = pwd.getpwnam(DEDICATED)
    except KeyError:
        return None
    return found if found.pw_uid else None


def existing(folder: Path) -> Path:
    """The folder, or its nearest ancestor that exists."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def _obstacles(settings: StackSettings, environ: Mapping[str, str], user: pwd.struct_passwd) -> Iterator[str]:
    """What the user cannot do, as the end of a sentence that begins with their name."""
    if settings.gateway_port < _lowest_port():
        yield f"may not listen on GATEWAY_PORT {settings.gateway_port}"
    if not _can(user, "-c", _CAN_RUN):
        yield f"cannot use the Python environment at {sys.prefix}, or finds no browser"
    for name, file in environ.items():
        if name.endswith("_FILE") and Path(file).is_file() and not _can(user, "-I", "-S", "-c", _MAY_READ, file):
            yield f"cannot read the file of {name}"
    for folder in sorted({settings.data.path, settings.session_path, settings.backup_session_path}):
        if not _can(user, "-I", "-S", "-c", _MAY_WRITE, str(existing(folder))) or not _owns_all(user, folder):
            yield f"does not own {folder}; `mkdir -p {folder} && chown -R {user.pw_name} {folder}` mends it"


def _can(user: pwd.struct_passwd, *arguments: str) -> bool:
    """Whether Python, run as the user, ends well."""
    groups = os.getgrouplist(user.pw_name, user.pw_gid)
    try:
        done = subprocess.run(
            [sys.executable, *arguments], user=user.pw_uid, group=user.pw_gid, extra_groups=groups,
            env={**os.environ, **_own_variables(user)}, stdin=subprocess.DEVNULL, capture_output=True,
            timeout=_ASK_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _own_variables(user: pwd.struct_passwd) -> dict[str, str]:
    return {"HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name}


def _owns_all(user: pwd.struct_passwd, folder: Path) -> bool:
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            try:
                if (Path(place) / name).lstat().st_uid != user.pw_uid:
                    return False
            except FileNotFoundError:
                continue
    return True


def _lowest_port() -> int:
    try:
        return int(_LOWEST_PORT.read_text())
    except (OSError, ValueError):
        return 1024
