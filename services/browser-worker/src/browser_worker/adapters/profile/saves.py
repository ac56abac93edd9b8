"""The saves of one session under BACKUP_SESSION_PATH: the newest few snapshots, each whole in a folder of its own.

A save shares no bytes with the live profile, so damage to one leaves the other whole. Saves share unchanged tables
among themselves by hard links. Layout: `<utc>-<snapshot id>/{manifest.json, profile/}`. A save is filled in a folder
whose name begins with a dot and appears by the rename at the end, so a folder with a dot is never a save.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from browser_worker.adapters.durable_files import (
    bytes_under,
    move_durably,
    private_folder,
    remove_tree,
    sync_tree,
    write_durably,
)
from browser_worker.adapters.profile.chunk_hashes import copy_verified
from browser_worker.domain.profile_rules import Kind, kind_of
from browser_worker.ports import Save, Snapshot
from shared.contracts.message import BadMessage, decode, encode
from shared.contracts.snapshots import BadPath, FileEntry, SnapshotManifest, safe_path

MANIFEST = "manifest.json"
PROFILE = "profile"


@dataclass(frozen=True)
class WholeSave:
    """A save that was found whole, with its manifest."""

    save: Save
    manifest: SnapshotManifest


def read_save(folder: Path) -> WholeSave | None:
    """The save in `folder`; None when it is not whole (a file is absent or has another size)."""
    try:
        manifest = decode((folder / MANIFEST).read_bytes(), SnapshotManifest)
        whole = all(_has(folder / PROFILE / safe_path(entry.path), entry) for entry in manifest.files)
    except (OSError, BadMessage, BadPath):
        return None
    if not whole:
        return None
    save = Save(
        id=manifest.snapshot,
        folder=folder,
        taken_at=manifest.taken_at,
        bytes=manifest.total_bytes(),
        browser_version=manifest.browser_version,
    )
    return WholeSave(save, manifest)


def _has(path: Path, entry: FileEntry) -> bool:
    return path.is_file() and path.lstat().st_size == entry.bytes


class ProfileSaves:
    """`limit`: how many saves stay; at least one does."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = max(1, limit)

    def all(self) -> list[WholeSave]:
        """The whole saves, newest first."""
        found = [whole for folder in self._folders() if (whole := read_save(folder))]
        return sorted(found, key=lambda whole: (whole.save.taken_at, whole.save.id), reverse=True)

    def bytes(self) -> int:
        return bytes_under(self._folder)

    def add(self, snapshot: Snapshot) -> Save:
        """Copy the snapshot in as the newest save and check every chunk, then drop the oldest saves beyond the limit. A
        failure leaves the saves as they were. Raises OSError, ProfileDamaged."""
        private_folder(self._folder)
        name = f"{snapshot.manifest.taken_at:%Y%m%dT%H%M%SZ}-{snapshot.id}"
        partial = self._folder / f".{name}.partial"
        remove_tree(partial)
        try:
            self._fill(partial, snapshot)
            move_durably(partial, self._folder / name)
        except BaseException:
            remove_tree(partial)
            raise
        self._drop_old(name)
        return Save(
            id=snapshot.id,
            folder=self._folder / name,
            taken_at=snapshot.manifest.taken_at,
            bytes=snapshot.manifest.total_bytes(),
            browser_version=snapshot.manifest.browser_version,
        )

    def mark_damaged(self, damaged: WholeSave) -> None:
        """A save with wrong contents counts as not whole from now on; the next `add` removes it."""
        (damaged.save.folder / MANIFEST).rename(damaged.save.folder / "manifest.bad.json")

    def remove_partial(self) -> None:
        """Remove what an interrupted `add` left."""
        for path in self._entries():
            if path.name.startswith("."):
                remove_tree(path)

    def wipe(self) -> None:
        remove_tree(self._folder)

    def _fill(self, partial: Path, snapshot: Snapshot) -> None:
        private_folder(partial / PROFILE)
        tables = self._tables_of_newest()
        for entry in snapshot.manifest.files:
            target = partial / PROFILE / safe_path(entry.path)
            private_folder(target.parent)
            if not _linked(tables.get(entry), target):
                copy_verified(snapshot.folder / PROFILE / entry.path, target, entry)
        write_durably(partial / MANIFEST, encode(snapshot.manifest))
        sync_tree(partial)

    def _tables_of_newest(self) -> dict[FileEntry, Path]:
        """The tables of the newest save, by what the manifest says about them."""
        newest = next(iter(self.all()), None)
        if newest is None:
            return {}
        folder = newest.save.folder / PROFILE
        return {entry: folder / entry.path for entry in newest.manifest.files if kind_of(entry.path) is Kind.FINISHED}

    def _drop_old(self, newest: str) -> None:
        whole = [found.save.folder for found in self.all()]
        others = [folder for folder in whole if folder.name != newest]
        stay = {self._folder / newest, *others[: self._limit - 1]}
        for folder in self._folders():
            if folder not in stay:
                remove_tree(folder)

    def _folders(self) -> Iterator[Path]:
        return (path for path in self._entries() if not path.name.startswith("."))

    def _entries(self) -> list[Path]:
        try:
            return sorted(self._folder.iterdir())
        except FileNotFoundError:
            return []


def _linked(table: Path | None, target: Path) -> bool:
    """Whether `target` could be made a hard link to `table`."""
    if table is None:
        return False
    try:
        os.link(table, target, follow_symlinks=False)
    except OSError:
        return False
    return True
