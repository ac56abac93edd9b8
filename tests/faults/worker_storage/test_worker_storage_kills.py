"""The worker is killed at every single change of names on disk; the next life must find one whole profile."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tiny_profile import INDEXED_DB, age, contents, make_profile, names

from browser_worker.adapters.outbox_sqlite import SqliteOutbox
from browser_worker.adapters.profile.store import DiskProfileStore
from shared.clock import SystemClock
from shared.contracts.commands import SendResult

VERSION = "156.0.8078.79"
SCRIPT = Path(__file__).with_name("killed_restore.py")


def make_store(root: Path) -> DiskProfileStore:
    return DiskProfileStore(root / "sessions", root / "saves", "shop", SystemClock())


@pytest.fixture
async def prepared(tmp_path: Path) -> Path:
    """A save, and a profile that was damaged after it."""
    store = make_store(tmp_path / "prepared")
    age(make_profile(store.profile, table_sizes=(2000, 4000)))
    async with store.lock():
        await store.add_save(await store.snapshot_at_rest(epoch=1, browser_version=VERSION))
    return tmp_path / "prepared"


@pytest.fixture
def run_killed_at(prepared: Path) -> Iterator[Callable[[Path, int, str], bool]]:
    """Run a worker on a copy of the prepared folders. Whether it was killed; False when it ended before that step."""
    workers = subprocess.Popen([sys.executable, SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(root: Path, step: int, what: str) -> bool:
        assert workers.stdin
        assert workers.stdout
        shutil.copytree(prepared, root, symlinks=True)
        print(step, what, root, sep="\t", file=workers.stdin, flush=True)
        code = next(int(line.split()[1]) for line in workers.stdout if line.startswith("code "))
        assert code in (0, 9)
        return code == 9

    yield run
    workers.communicate(timeout=10)


async def test_a_restore_killed_at_any_step_is_finished_or_undone_by_the_next_life(
    prepared: Path, tmp_path: Path, run_killed_at: Callable[[Path, int, str], bool]
) -> None:
    store = make_store(prepared)
    whole = contents((await store.saves())[0].folder / "profile")
    (store.profile / INDEXED_DB / "CURRENT").write_bytes(b"")
    damaged = contents(store.profile)
    outcomes = set()
    for step in range(1, 200):
        root = tmp_path / f"killed-{step}"
        killed = run_killed_at(root, step, "restore")
        again = make_store(root)
        async with again.lock():
            state = root / "sessions/session-shop.worker"
            live = contents(again.profile)
            assert live in (whole, damaged)
            if live == whole:
                assert contents(state / "aside/0000") == damaged
            assert not (state / "swap.json").exists()
            assert names(state / "staging") == []
            assert len(await again.saves()) == 1
            outcomes.add(live == whole)
        if not killed:
            break
    else:
        pytest.fail("the restore never came to its end")
    assert outcomes == {True, False}
    assert step > 10


async def test_a_keep_killed_at_any_step_leaves_whole_saves_only(
    prepared: Path, tmp_path: Path, run_killed_at: Callable[[Path, int, str], bool]
) -> None:
    (before,) = await make_store(prepared).saves()
    counts = set()
    for step in range(1, 300):
        root = tmp_path / f"killed-{step}"
        killed = run_killed_at(root, step, "save")
        again = make_store(root)
        async with again.lock():
            saves = await again.saves()
            assert before.id in {save.id for save in saves}
            for save in saves:
                await again.restore_save(save, browser_version=VERSION)
            assert all(not name.startswith(".") for name in names(root / "saves/session-shop"))
            counts.add(len(saves))
        if not killed:
            break
    else:
        pytest.fail("the save never came to its end")
    assert counts == {1, 2}


async def test_a_wipe_killed_at_any_step_can_be_run_again_and_leaves_no_half_profile(
    prepared: Path, tmp_path: Path, run_killed_at: Callable[[Path, int, str], bool]
) -> None:
    whole = contents(make_store(prepared).profile)
    for step in range(1, 300):
        root = tmp_path / f"killed-{step}"
        killed = run_killed_at(root, step, "wipe")
        again = make_store(root)
        async with again.lock():
            assert contents(again.profile) in (whole, {})
            await again.wipe()
            assert not again.profile.exists()
            assert await again.saves() == []
        if not killed:
            break
    else:
        pytest.fail("the wipe never came to its end")


def test_a_worker_killed_between_intention_and_outcome_finds_the_intention(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys\n"
        "from browser_worker.adapters.outbox_sqlite import SqliteOutbox\n"
        "from shared.clock import SystemClock\n"
        "outbox = SqliteOutbox(pathlib.Path(sys.argv[1]), SystemClock())\n"
        "from shared.contracts.commands import SendResult\n"
        "outbox.intend('done', 'm1'); outbox.record_outcome('done', SendResult(outcome='sent', ack=1))\n"
        "outbox.intend('open', 'm2')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    path = tmp_path / "outbox.sqlite"
    assert subprocess.run([sys.executable, "-c", code, path]).returncode == -9
    outbox = SqliteOutbox(path, SystemClock())
    assert outbox.open() == [SendResult(outcome="intended", command_id="open", message_id="m2")]
    assert outbox.intend("open", "m3") == SendResult(
        outcome="intended", command_id="open", message_id="m2", repeated=True
    )
    assert outbox.find("done") == SendResult(outcome="sent", command_id="done", message_id="m1", ack=1)
    outbox.close()
