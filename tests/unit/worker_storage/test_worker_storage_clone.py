from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_profile import INDEXED_DB, age, contents, make_profile

from browser_worker.adapters.profile import snapshot_clone
from browser_worker.adapters.profile.snapshot_clone import SnapshotClone
from browser_worker.ports import ProfileDamaged
from shared.clock import SystemClock

TABLE = f"{INDEXED_DB}/000006.ldb"
LOG = f"{INDEXED_DB}/000004.log"


def nothing() -> None:
    pass


class Gate:
    """Counts freezes and thaws; `in_freeze` runs inside the freeze, `after` when the browser runs again."""

    def __init__(self, in_freeze: Callable[[], object] = nothing, after: Callable[[], object] = nothing) -> None:
        self.frozen = 0
        self.thawed = 0
        self._in_freeze = in_freeze
        self._after = after

    def freeze(self) -> None:
        self.frozen += 1
        self._in_freeze()

    def thaw(self) -> None:
        self.thawed += 1
        self._after()


@pytest.fixture
def live(tmp_path: Path) -> Path:
    return age(make_profile(tmp_path / "live"))


def clone(live: Path, gate: Gate | None = None) -> Path:
    gate = gate or Gate()
    target = live.parent / "copy"
    SnapshotClone(live, target, SystemClock()).take(gate.freeze, gate.thaw)
    return target


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_the_copy_holds_the_same_files_without_caches_and_locks(live: Path) -> None:
    (live / "SingletonLock").symlink_to("elsewhere-17")
    copied = contents(clone(live))
    left_out = {name for name in contents(live) if name not in copied}
    assert left_out == {
        "Default/Cache/Cache_Data/data_1",
        *(f"{folder}/{name}" for folder in (INDEXED_DB, "Default/Local Storage/leveldb", "Default/Session Storage")
          for name in ("LOCK", "LOG")),
    }  # fmt: skip
    assert all(copied[name] == data for name, data in contents(live).items() if name in copied)
    assert not (live.parent / "copy/SingletonLock").is_symlink()


def test_only_tables_at_rest_share_their_bytes_with_the_live_profile(live: Path) -> None:
    copy = clone(live)
    shared = {name for name in contents(copy) if (copy / name).stat().st_ino == (live / name).stat().st_ino}
    assert shared == {name for name in contents(copy) if name.endswith(".ldb")}


def test_what_is_written_after_the_thaw_is_not_in_the_copy(live: Path) -> None:
    before = {name: (live / name).read_bytes() for name in (LOG, f"{INDEXED_DB}/MANIFEST-000001", TABLE)}

    def write_on() -> None:
        for name in before:
            append(live / name, b"written after the thaw")
        (live / "Default/Cookies").write_bytes(b"SQLite format 3\0 rewritten")

    copy = clone(live, Gate(after=write_on))
    assert {name: (copy / name).read_bytes() for name in before} == before
    assert b"rewritten" not in (copy / "Default/Cookies").read_bytes()


def test_what_is_written_before_the_freeze_takes_hold_is_in_the_copy(live: Path) -> None:
    def change() -> None:
        append(live / LOG, b"late")
        (live / "Default/Cookies").write_bytes(b"SQLite format 3\0 late")
        (live / TABLE).unlink()
        (live / f"{INDEXED_DB}/000008.ldb").write_bytes(b"new table")
        (live / "Default/New").mkdir()
        (live / "Default/New/file").write_bytes(b"new file")

    copy = clone(live, Gate(in_freeze=change))
    assert (copy / LOG).read_bytes().endswith(b"late")
    assert (copy / "Default/Cookies").read_bytes().endswith(b"late")
    assert not (copy / TABLE).exists()
    assert (copy / f"{INDEXED_DB}/000008.ldb").read_bytes() == b"new table"
    assert (copy / "Default/New/file").read_bytes() == b"new file"


def test_a_file_that_a_last_system_call_removes_inside_the_freeze_is_left_out(
    live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_tree = snapshot_clone.read_tree
    gate = Gate()

    def read_and_lose(root: Path) -> snapshot_clone.Tree:
        tree = read_tree(root)
        if gate.frozen:
            (live / LOG).unlink(missing_ok=True)
        return tree

    monkeypatch.setattr(snapshot_clone, "read_tree", read_and_lose)
    copy = clone(live, gate)
    assert not (copy / LOG).exists()
    assert (copy / TABLE).exists()


def test_a_folder_that_went_before_the_freeze_is_not_in_the_copy(live: Path) -> None:
    (live / "Default/Passing/below").mkdir(parents=True)
    (live / "Default/Passing/below/file").write_bytes(b"x")
    age(live)

    def remove() -> None:
        (live / "Default/Passing/below/file").unlink()
        (live / "Default/Passing/below").rmdir()
        (live / "Default/Passing").rmdir()

    assert not (clone(live, Gate(in_freeze=remove)) / "Default/Passing").exists()


def test_a_table_that_was_made_again_under_its_old_name_is_taken_anew(live: Path) -> None:
    def make_again() -> None:
        (live / TABLE).unlink()
        (live / TABLE).write_bytes(b"another table")

    assert (clone(live, Gate(in_freeze=make_again)) / TABLE).read_bytes() == b"another table"


def test_a_young_table_is_copied_because_it_may_still_grow(live: Path) -> None:
    (live / f"{INDEXED_DB}/000009.ldb").write_bytes(b"half")
    copy = clone(live, Gate(after=lambda: append(live / f"{INDEXED_DB}/000009.ldb", b" and the rest")))
    assert (copy / f"{INDEXED_DB}/000009.ldb").read_bytes() == b"half"


@pytest.mark.parametrize("refusal", [errno.EPERM, errno.EXDEV, errno.EOPNOTSUPP])
def test_without_hard_links_the_copy_is_the_same(live: Path, monkeypatch: pytest.MonkeyPatch, refusal: int) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise OSError(refusal, "no links here")

    monkeypatch.setattr(os, "link", no_links)
    copy = clone(
        live, Gate(in_freeze=lambda: append(live / TABLE, b"grown"), after=lambda: append(live / LOG, b"late"))
    )
    assert (copy / TABLE).read_bytes() == (live / TABLE).read_bytes()
    assert (live / LOG).read_bytes() == (copy / LOG).read_bytes() + b"late"
    assert (copy / TABLE).stat().st_ino != (live / TABLE).stat().st_ino


@pytest.mark.parametrize("call", [1, 2, 5])
def test_the_browser_is_thawed_when_the_disk_is_full_inside_the_freeze(
    live: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    calls = 0
    copy_whole = snapshot_clone._copy_whole
    gate = Gate(in_freeze=lambda: [path.touch() for path in live.rglob("*") if path.is_file()])

    def full(source: Path, target: Path, size: int) -> None:
        nonlocal calls
        calls += gate.frozen
        if calls >= call:
            raise OSError(errno.ENOSPC, "disk full")
        copy_whole(source, target, size)

    monkeypatch.setattr(snapshot_clone, "_copy_whole", full)
    with pytest.raises(OSError, match="disk full"):
        clone(live, gate)
    assert (gate.frozen, gate.thawed) == (1, 1)


def test_the_browser_is_thawed_when_freezing_itself_fails(live: Path) -> None:
    def fail() -> None:
        raise ProcessLookupError

    gate = Gate(in_freeze=fail)
    with pytest.raises(ProcessLookupError):
        clone(live, gate)
    assert gate.thawed == 1


def test_a_copy_that_hangs_is_given_up_while_the_browser_runs_on(live: Path) -> None:
    thawed = threading.Event()
    gate = Gate(in_freeze=lambda: thawed.wait(10), after=thawed.set)
    with pytest.raises(ProfileDamaged, match="longer than the browser may stand still"):
        SnapshotClone(live, live.parent / "copy", SystemClock()).take(gate.freeze, gate.thaw, max_pause=0.05)
    assert gate.thawed >= 1


def test_without_a_profile_nothing_is_frozen(tmp_path: Path) -> None:
    gate = Gate()
    with pytest.raises(FileNotFoundError):
        SnapshotClone(tmp_path / "absent", tmp_path / "copy", SystemClock()).take(gate.freeze, gate.thaw)
    assert gate.frozen == 0


def test_symbolic_links_out_of_the_profile_are_not_followed(live: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("outside")
    (live / "Default/link").symlink_to(tmp_path / "secret")
    assert not (clone(live) / "Default/link").exists()
