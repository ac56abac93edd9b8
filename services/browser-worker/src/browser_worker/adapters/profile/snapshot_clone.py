"""A crash-consistent copy of a profile while its browser runs, with the shortest possible pause.

A plain copy would take each file at another moment, and a database would not open. A copy of one single moment is what
a power cut leaves behind, and every database of Chromium is built to recover from that: hence "crash-consistent". The
browser is therefore frozen (SIGSTOP to all its processes), and the pause holds only the work that cannot be done
before or after it.

Before the freeze, folders are made, finished files get a hard link, and files at rest are copied. A finished file (a
LevelDB table, a blob) never changes again, so a second name for its bytes is as good as a copy and costs no time. In
the freeze, the tree is read again, files that changed are copied, and growing files (a LevelDB log or manifest) are
linked. After the thaw, each growing file is replaced by a copy of as many bytes as it had in the freeze: it is only
appended to, so these bytes stay what they were. In the end nothing but finished files shares bytes with the live
profile.

The browser must be thawed whatever happens, even when the disk hangs; a timer ends a pause that is too long.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_never

from browser_worker.adapters.durable_files import copy_prefix, open_new, write_all
from browser_worker.domain.profile_rules import Kind, kind_of, left_out
from browser_worker.ports import ProfileDamaged
from shared.clock import Clock

REST_SECONDS = 2.0
"""A file that was not written for this long is at rest. FAT has the coarsest time stamps of a file system: 2 s."""
MAX_PAUSE_SECONDS = 5.0
"""The longest pause; a copy that takes longer is given up."""
_SMALL_BYTES = 256 * 1024
_NO_LINKS = frozenset({errno.EPERM, errno.EXDEV, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS})

Files = dict[str, os.stat_result]


@dataclass
class Tree:
    """Folders (parents first) and regular files by relative path, without what stays out of a snapshot."""

    folders: list[str] = field(default_factory=list)
    files: Files = field(default_factory=dict)


def read_tree(root: Path) -> Tree:
    """What lies under `root`, without symbolic links, sockets and files that vanish. Raises FileNotFoundError when
    `root` does not exist."""
    tree = Tree()
    _read_folder(os.fspath(root), "", tree)
    return tree


def _read_folder(path: str, prefix: str, tree: Tree) -> None:
    with os.scandir(path) as entries:
        for entry in entries:
            name = prefix + entry.name
            if left_out(name):
                continue
            try:
                _read_entry(entry, name, tree)
            except FileNotFoundError:
                continue


def _read_entry(entry: os.DirEntry[str], name: str, tree: Tree) -> None:
    status = entry.stat(follow_symlinks=False)
    if stat.S_ISDIR(status.st_mode):
        tree.folders.append(name)
        _read_folder(entry.path, name + "/", tree)
    elif stat.S_ISREG(status.st_mode):
        tree.files[name] = status


class _Thaw:
    """Thaws at the end of the block, or from another thread after `limit` seconds; `late` is set in that case."""

    def __init__(self, thaw: Callable[[], None], limit: float) -> None:
        self._thaw = thaw
        self.late = False
        self._timer = threading.Timer(limit, self._end_late)
        self._timer.daemon = True

    def _end_late(self) -> None:
        self.late = True
        self._thaw()

    def __enter__(self) -> _Thaw:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._thaw()
        finally:
            self._timer.cancel()


class SnapshotClone:
    """One copy of `source` into the new folder `target`."""

    def __init__(self, source: Path, target: Path, clock: Clock) -> None:
        self._source = source
        self._target = target
        self._clock = clock
        self._links = True
        self._made: set[str] = set()
        self._copied: Files = {}
        self._linked: Files = {}
        self._frozen = Tree()
        self._frozen_at = 0.0

    def take(
        self, freeze: Callable[[], None], thaw: Callable[[], None], *, max_pause: float = MAX_PAUSE_SECONDS
    ) -> float:
        """Make the copy. Gives the milliseconds from before the freeze until after the thaw. Raises OSError, and
        ProfileDamaged when the pause reached `max_pause` seconds. The caller removes `target` after an error."""
        self._copy_before_freeze()
        guard = _Thaw(thaw, max_pause)
        started = self._clock.monotonic()
        with guard:
            freeze()
            self._copy_in_freeze()
        pause = (self._clock.monotonic() - started) * 1000
        if guard.late:
            raise ProfileDamaged("the copy took longer than the browser may stand still")
        self._finish_after_thaw()
        return pause

    def _copy_before_freeze(self) -> None:
        self._target.mkdir(mode=0o700)
        tree = read_tree(self._source)
        self._make_folders(tree.folders)
        now = self._clock.now().timestamp()
        for path, status in tree.files.items():
            try:
                self._copy_file_before_freeze(path, status, now)
            except FileNotFoundError:
                continue  # The look in the freeze finds out whether the file is gone or new.

    def _copy_file_before_freeze(self, path: str, status: os.stat_result, now: float) -> None:
        match kind_of(path):
            case Kind.FINISHED:
                self._link(path, status)
            case Kind.OTHER:
                if status.st_mtime < now - REST_SECONDS:
                    self._copy(path, status)
            case Kind.GROWING:
                pass  # It grows until the freeze, and a link in the freeze costs no time.
            case kind:
                assert_never(kind)

    def _copy_in_freeze(self) -> None:
        """Waits for nothing but the disk, because the browser stands still. The last system call of a thread may still
        remove a file; the offline check then finds out whether the profile misses it."""
        gone = []
        self._frozen = read_tree(self._source)
        self._frozen_at = self._clock.now().timestamp()
        self._make_folders(self._frozen.folders)
        for path, status in self._frozen.files.items():
            try:
                self._copy_file_in_freeze(path, status)
            except FileNotFoundError:
                gone.append(path)
        for path in gone:
            del self._frozen.files[path]

    def _copy_file_in_freeze(self, path: str, status: os.stat_result) -> None:
        match kind_of(path):
            case Kind.OTHER:
                if not _same(self._copied.get(path), status):
                    self._copy(path, status)
            case Kind.FINISHED | Kind.GROWING:
                if not self._is_linked(path, status):
                    self._link(path, status)
            case kind:
                assert_never(kind)

    def _is_linked(self, path: str, status: os.stat_result) -> bool:
        """Whether the copy holds this file. A link grows with its file; a copy in place of a link does not."""
        before = self._linked.get(path)
        return _same_file(before, status) if self._links else _same(before, status)

    def _finish_after_thaw(self) -> None:
        for path in (self._copied.keys() | self._linked.keys()) - self._frozen.files.keys():
            self._in_target(path).unlink(missing_ok=True)
        for path in self._linked.keys() & self._frozen.files.keys():
            status = self._frozen.files[path]
            if self._may_grow(path, status):
                self._replace_by_prefix(path, status.st_size)
        self._drop_folders()

    def _may_grow(self, path: str, status: os.stat_result) -> bool:
        return (
            kind_of(path) is Kind.GROWING
            or status.st_mtime > self._frozen_at - REST_SECONDS
            or self._in_target(path).stat().st_size != status.st_size
        )

    def _replace_by_prefix(self, path: str, size: int) -> None:
        linked = self._in_target(path)
        copy = linked.with_name(linked.name + ".copy")
        copy_prefix(linked, copy, size)
        copy.replace(linked)

    def _drop_folders(self) -> None:
        for folder in sorted(self._made - set(self._frozen.folders), reverse=True):
            self._in_target(folder).rmdir()

    def _make_folders(self, folders: list[str]) -> None:
        for folder in folders:
            if folder not in self._made:
                self._in_target(folder).mkdir(mode=0o700)
                self._made.add(folder)

    def _copy(self, path: str, status: os.stat_result) -> None:
        target = self._in_target(path)
        if path in self._copied:
            target.unlink()
            del self._copied[path]
        _copy_whole(self._source / path, target, status.st_size)
        self._copied[path] = status

    def _link(self, path: str, status: os.stat_result) -> None:
        """On a file system without hard links this copies, and the pause grows with the profile."""
        target = self._in_target(path)
        if path in self._linked:
            target.unlink()
        try:
            os.link(self._source / path, target, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            self._links = False
            copy_prefix(self._source / path, target, status.st_size)
        self._linked[path] = status

    def _in_target(self, path: str) -> Path:
        return self._target / path


def _copy_whole(source: Path, target: Path, size: int) -> None:
    """A file that becomes shorter during the copy is copied as it is; its changed status shows it in the freeze."""
    if size > _SMALL_BYTES:
        copy_prefix(source, target, size, exact=False)
        return
    with source.open("rb", buffering=0) as reader, open_new(target) as writer:
        write_all(writer.fileno(), reader.read(size))


def _same_file(before: os.stat_result | None, now: os.stat_result) -> bool:
    return before is not None and (before.st_dev, before.st_ino) == (now.st_dev, now.st_ino)


def _same(before: os.stat_result | None, now: os.stat_result) -> bool:
    return (
        before is not None
        and _same_file(before, now)
        and (before.st_size, before.st_mtime_ns, before.st_ctime_ns) == (now.st_size, now.st_mtime_ns, now.st_ctime_ns)
    )
