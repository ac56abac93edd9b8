"""Writing and removing files so that a crash leaves either the old or the new, and nothing outside is touched.

Knows nothing of profiles. The trap: a rename is durable only after its folder was synced.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

_NO_RANGE_COPY = frozenset({errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM})
_CHUNK_BYTES = 1024 * 1024


def private_folder(path: Path) -> Path:
    """Make `path` and what is missing above it, readable by this user alone."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
    return path


def sync_folder(path: Path) -> None:
    """Make what was created in, renamed in or removed from `path` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(path: Path) -> None:
    """Make every file and folder under `path` durable."""
    for folder, _, names in os.walk(path):
        for name in names:
            descriptor = os.open(os.path.join(folder, name), os.O_RDONLY | os.O_NOFOLLOW)  # noqa: PTH118
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(Path(folder))


def write_durably(path: Path, data: bytes) -> None:
    """Replace `path` (mode 0600) by rename; after the return it survives a power cut."""
    temporary = path.with_name(f".{path.name}.partial")
    temporary.unlink(missing_ok=True)
    try:
        with open_new(temporary) as file:
            write_all(file.fileno(), data)
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def move_durably(source: Path, target: Path) -> None:
    source.rename(target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def remove_tree(path: Path) -> None:
    """Remove a file, a link or a folder with all in it; links are removed, never followed. Absent is fine."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(mode):
        path.unlink(missing_ok=True)
        return
    shutil.rmtree(path, onerror=_unless_absent)


def _unless_absent(_function: object, _path: str, reason: tuple[type[BaseException], BaseException, object]) -> None:
    if not isinstance(reason[1], FileNotFoundError):
        raise reason[1]


def open_new(path: Path) -> FileIO:
    """A new unbuffered binary file, mode 0600. Raises FileExistsError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o600), "wb", buffering=0)


def copy_prefix(source: Path, target: Path, size: int, *, exact: bool = True) -> None:
    """Copy the first `size` bytes into a new file, sharing blocks where the file system can. Raises OSError; EIO when
    `exact` and the source is shorter."""
    with source.open("rb", buffering=0) as reader, open_new(target) as writer:
        left = size - _copy_range(reader.fileno(), writer.fileno(), size)
        while left > 0:
            chunk = reader.read(min(left, _CHUNK_BYTES))
            if not chunk and not exact:
                return
            if not chunk:
                raise OSError(errno.EIO, "a file became shorter while it was copied")
            write_all(writer.fileno(), chunk)
            left -= len(chunk)


def _copy_range(reader: int, writer: int, size: int) -> int:
    """Bytes copied inside the kernel; fewer than `size` where that is not possible."""
    copy = getattr(os, "copy_file_range", None)
    done = 0
    while copy is not None and done < size:
        try:
            moved = copy(reader, writer, size - done)
        except OSError as error:
            if error.errno in _NO_RANGE_COPY:
                break
            raise
        if not moved:
            break
        done += moved
    return done


def write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def files_under(path: Path) -> Iterator[os.stat_result]:
    """What `lstat` says of each regular file; files that go meanwhile are skipped."""
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                status = os.lstat(os.path.join(folder, name))  # noqa: PTH118
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode):
                yield status


def bytes_under(path: Path) -> int:
    """Bytes of all files; one that has several names is counted once."""
    return sum({(status.st_dev, status.st_ino): status.st_size for status in files_under(path)}.values())
