"""The saves of one session under BACKUP_SESSION_PATH: the newest few snapshots, each whole in its own folder.

A save shares no bytes with the live profile, so that damage to the one is no damage to the other; saves share
unchanged tables among themselves. Layout: `<utc>-<snapshot id>/{manifest.json, profile/}`. The trap: a save appears
only by the rename at the end, so a folder whose name begins with a dot is never a save.
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
class KeptSnapshot:
    """A save with its manifest."""

    save: Save
    manifest: SnapshotManifest


def read_kept(folder: Path) -> KeptSnapshot | None:
    """The save in `folder`; None when it is not whole (files absent or of another size)."""
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
    return KeptSnapshot(save, manifest)


def _has(path: Path, entry: FileEntry) -> bool:
    return path.is_file() and path.lstat().st_size == entry.bytes


class ProfileSaves:
    def __init__(self, folder: Path, kept: int) -> None:
        self._folder = folder
        self._kept = max(1, kept)

    def all(self) -> list[KeptSnapshot]:
        """Newest first; only whole ones."""
        found = [kept for folder in self._folders() if (kept := read_kept(folder))]
        return sorted(found, key=lambda kept: (kept.save.taken_at, kept.save.id), reverse=True)

    def bytes(self) -> int:
        return bytes_under(self._folder)

    def add(self, snapshot: Snapshot) -> Save:
        """Copy the snapshot in as the newest save, every chunk checked; then drop saves beyond the number kept. A
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

    def distrust(self, kept: KeptSnapshot) -> None:
        """A save whose content proved wrong counts as not whole from now on; it goes with the next `keep`."""
        (kept.save.folder / MANIFEST).rename(kept.save.folder / "manifest.bad.json")

    def clean(self) -> None:
        """Remove what an interrupted `keep` left."""
        for path in self._entries():
            if path.name.startswith("."):
                remove_tree(path)

    def wipe(self) -> None:
        remove_tree(self._folder)

    def _fill(self, partial: Path, snapshot: Snapshot) -> None:
        private_folder(partial / PROFILE)
        tables = self._kept_tables()
        for entry in snapshot.manifest.files:
            target = partial / PROFILE / safe_path(entry.path)
            private_folder(target.parent)
            if not _linked(tables.get(entry), target):
                copy_verified(snapshot.folder / PROFILE / entry.path, target, entry)
        write_durably(partial / MANIFEST, encode(snapshot.manifest))
        sync_tree(partial)

    def _kept_tables(self) -> dict[FileEntry, Path]:
        """Tables that the newest save has already, by all that the manifest says of them."""
        newest = next(iter(self.all()), None)
        if newest is None:
            return {}
        folder = newest.save.folder / PROFILE
        return {entry: folder / entry.path for entry in newest.manifest.files if kind_of(entry.path) is Kind.FINISHED}

    def _drop_old(self, newest: str) -> None:
        whole = [kept.save.folder for kept in self.all()]
        others = [folder for folder in whole if folder.name != newest]
        stay = {self._folder / newest, *others[: self._kept - 1]}
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


def _linked(kept: Path | None, target: Path) -> bool:
    if kept is None:
        return False
    try:
        os.link(kept, target, follow_symlinks=False)
    except OSError:
        return False
    return True
