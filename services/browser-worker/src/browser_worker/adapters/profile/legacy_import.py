"""The import of a profile of the old system: where its copies lie, and how a copy becomes a profile here.

The old system's LocalAuth profile lies where ours lies and is used in place, after a save of it. A RemoteAuth profile
is a folder or a zip beside it; the import copies it and leaves the original. A zip is foreign input, so names, kinds
and sizes are checked before a byte is unpacked.
"""

from __future__ import annotations

import shutil
import stat
import zipfile
from pathlib import Path

from browser_worker.adapters.durable_files import copy_prefix, open_new, private_folder
from browser_worker.adapters.profile.snapshot_clone import read_tree
from browser_worker.domain.profile_rules import travels
from browser_worker.ports import ProfileDamaged
from shared.contracts.snapshots import BadPath, safe_path

from .restore import finish_incoming, require_free_space

_MAX_FILES = 100_000
_MAX_BYTES = 4 * 1024**3
_MAX_RATIO = 200
_CHUNK_BYTES = 1024 * 1024


def remote_auth_folder(session_path: Path, session: str) -> Path | None:
    """The profile folder of a RemoteAuth client; None when it holds no profile."""
    folder = session_path / f"RemoteAuth-{session}"
    return folder if (folder / "Default" / "IndexedDB").is_dir() else None


def remote_auth_zip(session_path: Path, session: str) -> Path | None:
    """The zip of a RemoteAuth client; None when there is none."""
    archive = session_path / f"RemoteAuth-{session}.zip"
    return archive if archive.is_file() else None


def last_version(profile: Path) -> str:
    """The version of the browser that wrote the profile last; "" when the profile does not say."""
    try:
        text = (profile / "Last Version").read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return text if text.replace(".", "").isdigit() else ""


def copy_folder(source: Path, target: Path) -> None:
    """Copy a profile at rest into the new folder `target`. Raises ProfileDamaged, OSError."""
    tree = read_tree(source)
    require_free_space(target.parent, sum(status.st_size for status in tree.files.values()))
    private_folder(target)
    for folder in tree.folders:
        private_folder(target / folder)
    for path, status in tree.files.items():
        copy_prefix(source / path, target / path, status.st_size)
    finish_incoming(target)


def unpack(archive: Path, target: Path) -> None:
    """Unpack a RemoteAuth zip into the new folder `target`. Raises ProfileDamaged, OSError."""
    try:
        with zipfile.ZipFile(archive) as file:
            members = _members(file)
            require_free_space(target.parent, sum(member.file_size for member in members.values()))
            private_folder(target)
            for path, member in members.items():
                _unpack_one(file, member, target / path)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ProfileDamaged(f"{archive.name} cannot be read as a zip ({type(error).__name__})") from None
    finish_incoming(target)


def _members(file: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Files to unpack, by their path in the profile."""
    infos = file.infolist()
    if len(infos) > _MAX_FILES or sum(info.file_size for info in infos) > _limit(infos):
        raise ProfileDamaged("the zip would unpack to more than a profile can be")
    for info in infos:
        _refuse_bad_name(info)
    prefix = _prefix({info.filename for info in infos})
    found = {info.filename[len(prefix) :]: info for info in infos if info.filename.startswith(prefix)}
    return {path: info for path, info in found.items() if path and not info.is_dir() and travels(path)}


def _limit(infos: list[zipfile.ZipInfo]) -> int:
    return min(_MAX_BYTES, _MAX_RATIO * sum(info.compress_size for info in infos) + _CHUNK_BYTES)


def _refuse_bad_name(info: zipfile.ZipInfo) -> None:
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ProfileDamaged("the zip holds something that is neither a file nor a folder")
    try:
        safe_path(info.filename.rstrip("/"))
    except BadPath:
        raise ProfileDamaged("a path in the zip leaves the profile folder") from None


def _prefix(names: set[str]) -> str:
    """What precedes the profile in the names of the zip: nothing, or one folder."""
    if any(name.startswith("Default/") for name in names):
        return ""
    nested = {name.split("/", 1)[0] for name in names if name.split("/", 2)[1:2] == ["Default"]}
    if len(nested) != 1:
        raise ProfileDamaged("the zip holds no browser profile")
    return nested.pop() + "/"


def _unpack_one(file: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    private_folder(target.parent)
    with file.open(member) as reader, open_new(target) as writer:
        shutil.copyfileobj(reader, writer, _CHUNK_BYTES)
    if target.stat().st_size != member.file_size:
        raise ProfileDamaged("a file in the zip is not as long as the zip says")
