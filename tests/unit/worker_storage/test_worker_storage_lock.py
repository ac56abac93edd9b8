from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tiny_profile import names

from browser_worker.adapters.browsers_on_profile import singleton_holder
from browser_worker.adapters.profile.lock import locked
from browser_worker.adapters.profile.store import DiskProfileStore
from shared.contracts.errors import Conflict

MakeStore = Callable[[], DiskProfileStore]


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A living process with these in its command line."""
    running = subprocess.Popen(
        [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert running.stdout
        running.stdout.readline()
        yield running
    finally:
        running.communicate()


def leave_singletons(profile: Path, host: str, pid: int) -> None:
    (profile / "SingletonLock").symlink_to(f"{host}-{pid}")
    (profile / "SingletonCookie").symlink_to("1234")
    (profile / "SingletonSocket").symlink_to("/tmp/gone/SingletonSocket")


def singletons(profile: Path) -> list[str]:
    return [name for name in names(profile) if name.startswith("Singleton")]


async def test_a_second_holder_is_refused_at_once_and_served_after_the_first(
    store: DiskProfileStore, make_store: MakeStore
) -> None:
    async with store.lock():
        with pytest.raises(Conflict, match="another worker holds") as caught:
            async with make_store().lock():
                pass
        assert str(os.getpid()) in caught.value.hint
    async with make_store().lock():
        pass


async def test_the_lock_of_a_killed_process_is_free_at_once(store: DiskProfileStore, tmp_path: Path) -> None:
    lock = tmp_path / "sessions/session-shop.worker/lock"
    code = (
        "import sys, pathlib\n"
        "from browser_worker.adapters.profile.lock import locked\n"
        "with locked(pathlib.Path(sys.argv[1])):\n"
        "    print(flush=True); sys.stdin.read()\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout
    holder.stdout.readline()
    with pytest.raises(Conflict):
        async with store.lock():
            pass
    holder.kill()
    holder.communicate()
    async with store.lock():
        pass


async def test_the_lock_is_not_inherited_by_child_processes(store: DiskProfileStore, make_store: MakeStore) -> None:
    async with store.lock():
        child = subprocess.Popen(["sleep", "60"])
    try:
        async with make_store().lock():
            pass
    finally:
        child.kill()
        child.wait()


async def test_a_living_browser_of_another_program_is_respected(store: DiskProfileStore) -> None:
    with process(f"--user-data-dir={store.profile}", "--remote-debugging-port=0") as browser:
        leave_singletons(store.profile, socket.gethostname(), browser.pid)
        with pytest.raises(Conflict, match="another program") as caught:
            async with store.lock():
                pass
        assert "stop the old system" in caught.value.hint
        assert len(singletons(store.profile)) == 3
    async with store.lock():
        assert singletons(store.profile) == []


async def test_an_orphan_of_this_worker_is_no_conflict(store: DiskProfileStore) -> None:
    with process(f"--user-data-dir={store.profile}", "--remote-debugging-pipe"):
        async with store.lock():
            pass


async def test_a_browser_on_another_profile_is_no_conflict(store: DiskProfileStore) -> None:
    with process(f"--user-data-dir={store.profile}-2"):
        async with store.lock():
            pass


@pytest.mark.parametrize("host", [socket.gethostname(), "another-host", "host-with-hyphens"])
async def test_singletons_of_a_dead_pid_or_another_host_are_cleared(store: DiskProfileStore, host: str) -> None:
    with process() as gone:
        pid = gone.pid
    leave_singletons(store.profile, host, pid)
    assert singleton_holder(store.profile) == (host, pid)
    async with store.lock():
        assert singletons(store.profile) == []


async def test_a_pid_that_was_used_again_by_another_program_is_stale(store: DiskProfileStore) -> None:
    with process("something else") as other:
        leave_singletons(store.profile, socket.gethostname(), other.pid)
        async with store.lock():
            assert singletons(store.profile) == []


async def test_a_damaged_singleton_lock_is_cleared(store: DiskProfileStore) -> None:
    (store.profile / "SingletonLock").write_text("garbage")
    async with store.lock():
        assert singletons(store.profile) == []


async def test_a_refused_lock_is_let_go(store: DiskProfileStore, tmp_path: Path) -> None:
    with process(f"--user-data-dir={store.profile}"), pytest.raises(Conflict):
        async with store.lock():
            pass
    with locked(tmp_path / "sessions/session-shop.worker/lock"):
        pass
