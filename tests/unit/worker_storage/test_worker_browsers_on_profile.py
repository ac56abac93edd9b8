"""Who counts as a process on a profile: the one definition that the lock and the browser's processes use."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from browser_worker.adapters import browsers_on_profile
from browser_worker.adapters.browser.processes import BrowserProcesses
from browser_worker.adapters.browsers_on_profile import processes_on
from browser_worker.adapters.profile.lock import refuse_living_browser
from shared.contracts.errors import Conflict
from shared.testing import eventually_sync

PIPE = "--remote-debugging-pipe"


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    made = tmp_path / "session-shop"
    made.mkdir()
    return made


@contextmanager
def process(*arguments: str, cwd: Path | None = None) -> Iterator[int]:
    """A living process with these arguments; its pid."""
    command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()", *arguments]
    running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=cwd)
    try:
        assert running.stdout
        running.stdout.readline()
        yield running.pid
    finally:
        running.communicate()


@contextmanager
def rewritten(text: str) -> Iterator[int]:
    """A living process whose whole command line is one text, as Chromium's children have it."""
    running = subprocess.Popen([text], executable=sys.executable, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert running.stdin
        assert running.stdout
        running.stdin.write(b"")
        eventually_sync(lambda: Path(f"/proc/{running.pid}/cmdline").read_bytes().rstrip(b"\0") == text.encode())
        yield running.pid
    finally:
        running.communicate()


def pids_on(profile: Path) -> list[int]:
    found = [found.pid for found in processes_on(profile)]
    assert found == [one.pid for one in BrowserProcesses(profile).refresh()], "both users of the definition agree"
    return found


def refused(profile: Path, *, orphans_allowed: bool = True) -> bool:
    try:
        refuse_living_browser(profile, orphans_allowed=orphans_allowed)
    except Conflict:
        return True
    return False


def test_a_process_with_the_switch_counts(profile: Path) -> None:
    with process(f"--user-data-dir={profile}") as pid:
        assert pids_on(profile) == [pid]
        assert refused(profile)
    assert pids_on(profile) == []
    assert not refused(profile)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--user-data-dir", "{profile}"),
        ("--user-data-dir={profile}-2",),
        ("--user-data-dir={profile}/Default",),
        ("--user-data-dir=",),
        ("--profile={profile}",),
        ("chromium --user-data-dir={profile}",),
    ],
    ids=["value after a blank", "longer name", "folder within", "no value", "another switch", "part of an argument"],
)
def test_what_only_looks_like_the_switch_does_not_count(profile: Path, arguments: tuple[str, ...]) -> None:
    with process(*(text.format(profile=profile) for text in arguments), cwd=profile):
        assert pids_on(profile) == []
        assert not refused(profile)


def test_a_relative_folder_is_read_from_where_the_process_works(profile: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    with process("--user-data-dir=session-shop", cwd=tmp_path / "elsewhere"):
        assert pids_on(profile) == []
    with process("--user-data-dir=./session-shop", cwd=tmp_path) as pid:
        assert pids_on(profile) == [pid]
        assert refused(profile)


def test_symbolic_links_are_followed_on_both_sides(profile: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(profile)
    with process(f"--user-data-dir={link}") as pid:
        assert pids_on(profile) == [pid]
        assert refused(profile)
    with process(f"--user-data-dir={profile}") as pid:
        assert pids_on(link) == [pid]


def test_a_rewritten_command_line_is_read_and_a_child_is_no_browser(profile: Path) -> None:
    with rewritten(f"chromium --type=renderer --user-data-dir={profile} --lang=en-US") as pid:
        assert pids_on(profile) == [pid]
        assert not refused(profile)
    with rewritten(f"chromium --user-data-dir={profile}") as pid:
        assert pids_on(profile) == [pid]
        assert refused(profile)


def test_a_rewritten_command_line_may_name_a_folder_with_blanks(tmp_path: Path) -> None:
    profile = tmp_path / "my session"
    with rewritten(f"chromium --user-data-dir={profile} --lang=en-US") as pid:
        assert pids_on(profile) == [pid]
        assert pids_on(tmp_path / "my") == []


def test_a_zombie_does_not_count(profile: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", "", f"--user-data-dir={profile}"])
    try:
        eventually_sync(lambda: psutil.Process(dead.pid).status() == psutil.STATUS_ZOMBIE)
        assert pids_on(profile) == []
        assert not refused(profile)
    finally:
        dead.wait()


def test_this_process_does_not_count(profile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browsers_on_profile, "_command", lambda pid: ("chromium", f"--user-data-dir={profile}"))
    assert os.getpid() not in [found.pid for found in processes_on(profile)]


def test_an_orphan_of_this_worker_is_allowed_only_where_orphans_are(profile: Path) -> None:
    with process(f"--user-data-dir={profile}", PIPE) as pid:
        assert pids_on(profile) == [pid]
        assert not refused(profile)
        assert refused(profile, orphans_allowed=False)


def test_another_users_browser_counts_and_is_never_an_orphan_of_ours(
    profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browsers_on_profile, "_owner", lambda pid: 1001)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with process(f"--user-data-dir={profile}", PIPE) as pid:
        assert pids_on(profile) == [pid]
        assert refused(profile)
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        assert not refused(profile)
