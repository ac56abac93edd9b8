"""A full disk, the old system's browser on the profile, a profile that grew old on another worker's disk."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from worker_processes import Scene

from shared.browsers import find_browser
from shared.contracts.commands import BACK_UP_NOW, BackedUp, BackUpNow
from shared.testing import eventually

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of 8 MB at `folder`; where that is not allowed, the folder itself refuses new files."""
    folder.mkdir(parents=True)
    mounted = (
        os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", folder]).returncode == 0
    )
    if os.geteuid() == 0 and not mounted:
        pytest.skip("root may neither mount here nor be refused by a mode")
    try:
        yield
    finally:
        if mounted:
            subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path) -> None:
    if os.geteuid() != 0:
        for each in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
            each.chmod(0o500)
        return
    with (folder / "filler").open("wb", buffering=0) as filler, suppress(OSError):
        while filler.write(b"\0" * 4096):
            pass


def free(folder: Path) -> None:
    (folder / "filler").unlink(missing_ok=True)
    for each in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        each.chmod(0o700)


async def test_a_full_disk_for_saves_is_told_and_costs_neither_session_nor_backups(stage: Scene) -> None:
    worker = stage.worker("first", FORCE_SAVE_INTERVAL_MS="1000", BACKUP_INTERVAL_MS="600000")
    with small_disk(worker.saves):
        worker.start()
        await stage.link()
        await stage.backed_up()
        count = len(await stage.backups())
        fill(worker.saves)
        stage.phone.write("while the disk is full")

        await stage.until("connected", where=lambda status: bool(status.saves.last_error), timeout=20)
        await stage.request(BACK_UP_NOW, BackUpNow(), BackedUp)
        assert len(await stage.backups()) > count
        status = await stage.until("connected")
        assert "reconnecting" not in [change.state for change in status.history]
        assert status.saves.count >= 1

        free(worker.saves)
        await stage.until("connected", where=lambda status: not status.saves.last_error, timeout=45)
        assert worker.stop() == 0
        assert not worker.exceptions()


async def test_a_session_can_be_linked_and_backed_up_although_no_save_can_be_kept(stage: Scene) -> None:
    worker = stage.worker("first", BACKUP_INTERVAL_MS="600000")
    with small_disk(worker.saves):
        fill(worker.saves)
        worker.start()
        await stage.link()
        await stage.backed_up()
        await stage.until("connected", where=lambda status: bool(status.saves.last_error))
        assert worker.stop() == 0
        worker.start()
        await stage.until("connected", where=lambda status: status.epoch > 1)
        assert worker.stop() == 0
        free(worker.saves)
        assert not worker.exceptions()


async def test_a_browser_of_the_old_system_on_the_profile_is_waited_for_and_left_alone(stage: Scene) -> None:
    worker = stage.started()
    await stage.link()
    assert worker.stop() == 0
    logins = stage.phone.device().logins
    command = [
        find_browser("chromium"), "--headless=new", "--no-sandbox", "--no-first-run", "--remote-debugging-port=0",
        f"--user-data-dir={worker.profile}", "about:blank",
    ]  # fmt: skip
    foreign = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        lock = worker.profile / "SingletonLock"
        await eventually(lock.is_symlink, timeout=20)
        held = lock.readlink()

        worker.start()
        status = await stage.until("failed", reason="profile_in_use")
        assert "old" in status.detail
        await asyncio.sleep(3)
        now = await stage.status()
        assert now is not None
        assert (now.state, now.reason) == ("failed", "profile_in_use")
        assert foreign.poll() is None
        assert lock.readlink() == held
        assert stage.phone.device().logins == logins
    finally:
        foreign.terminate()
        foreign.wait(20)
    await stage.until("connected", timeout=30)
    assert stage.phone.device().max_simultaneous == 1
    assert not worker.lines("restored")
    assert not worker.exceptions()
