"""Files that are written, moved and removed so that a crash leaves either the old state or the new one.

Knows nothing of profiles. Symbolic links are never followed, so nothing outside of a folder changes. A rename survives
a power cut only after `fsync` of the folder that holds the name (fsync(2)), so every function here that says "durable"
syncs the folder too.
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
    """Make `path` and the folders missing above it, with mode 0700. Gives `path` back."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
    return path


def sync_folder(path: Path) -> None:
    """Make the names in `path` durable: files created, renamed or removed there."""
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
    """Replace `path` (mode 0600) by a rename. The new file survives a power cut once this returns."""
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
    """Rename within one file system; the new name survives a power cut once this returns."""
    source.rename(target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def remove_tree(path: Path) -> None:
    """Remove a file, a link or a folder with everything in it. Nothing happens when `path` does not exist."""
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
    """Create an unbuffered binary file, mode 0600. Raises FileExistsError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o600), "wb", buffering=0)


def copy_prefix(source: Path, target: Path, size: int, *, exact: bool = True) -> None:
    """Copy the first `size` bytes into a new file, with shared blocks where the file system can. Raises OSError; EIO
    when the source is shorter and `exact` is set."""
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
    """Copy inside the kernel; gives the number of bytes, which is less than `size` where the kernel cannot."""
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
    """Write until every byte is written: one `write` may take only a part."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def files_under(path: Path) -> Iterator[os.stat_result]:
    """The `lstat` of each regular file. A file that vanishes during the walk is skipped."""
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                status = os.lstat(os.path.join(folder, name))  # noqa: PTH118
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode):
                yield status


def bytes_under(path: Path) -> int:
    """Bytes of all files under `path`. A file with several names counts once."""
    return sum({(status.st_dev, status.st_ino): status.st_size for status in files_under(path)}.values())
