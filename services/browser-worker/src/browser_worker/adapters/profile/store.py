"""The profile of one session on disk, with its saves and its lock: the modules of this package put together.

Whoever changes files holds `lock`. After `lock`, and before anything else reads the profile, `import_old_profile` is
called once. Slow work runs in a thread, one piece of work at a time, and a cancelled call waits for its thread, so that
no thread writes into the profile after the lock is released.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from browser_worker.adapters.browsers_on_profile import clear_singletons
from browser_worker.adapters.durable_files import private_folder, remove_tree, write_durably
from browser_worker.adapters.profile.chunk_hashes import ChunkHashes
from browser_worker.adapters.profile.snapshot_clone import SnapshotClone
from browser_worker.adapters.profile.snapshot_offer import SnapshotOffers
from browser_worker.adapters.uncancellable_calls import in_thread
from browser_worker.domain.profile_rules import LOCAL_STORAGE_EXPORT, shrunk
from browser_worker.domain.reading import LocalStorageExport
from browser_worker.ports import ChunkSource, ProfileDamaged, Save, Snapshot
from shared.clock import Clock
from shared.contracts.sessions import ProfileStatus
from shared.contracts.snapshots import SnapshotManifest
from shared.runtime import get_logger

from . import legacy_import
from .check import check_profile, profile_status
from .lock import locked, refuse_living_browser
from .paths import ProfilePaths
from .restore import BackupFetch, copy_save, refuse_newer
from .saves import PROFILE, ProfileSaves, read_save
from .swap import ProfileSwap
from .trim import trim_caches

T = TypeVar("T")

log = get_logger()


class DiskProfileStore:
    """Fulfils ports.ProfileStore. The files of a snapshot and of a save lie in `profile/` under its folder."""

    def __init__(
        self,
        session_path: Path,
        saves_path: Path,
        session: str,
        clock: Clock,
        *,
        saves_kept: int = 3,
    ) -> None:
        self._paths = ProfilePaths.of(session_path, saves_path, session)
        self._session = session
        self._clock = clock
        self._saves = ProfileSaves(self._paths.saves, saves_kept)
        self._swap = ProfileSwap(self._paths)
        self._hashes = ChunkHashes()
        self._offers = SnapshotOffers()
        self._turn = asyncio.Lock()
        self._last_bytes: int | None = None
        self._staged: list[Path] = []

    @property
    def profile(self) -> Path:
        return self._paths.live

    @asynccontextmanager
    async def lock(self) -> AsyncIterator[None]:
        """Hold the profile, after finishing what an earlier life left half done. Raises Conflict, OSError."""
        with locked(self._paths.lock):
            await self._run(self._finish_earlier_work)
            yield

    def _finish_earlier_work(self) -> None:
        refuse_living_browser(self._paths.live, orphans_allowed=True)
        clear_singletons(self._paths.live)
        if self._swap.finish():
            log.info("restore_finished_after_interruption")
        self._empty_staging()
        self._saves.remove_partial()

    def _empty_staging(self) -> None:
        remove_tree(self._paths.staging)
        private_folder(self._paths.staging)
        self._staged = []

    async def inspect(self) -> ProfileStatus:
        return await asyncio.to_thread(profile_status, self._paths.live, self._clock.now())

    async def local_storage_export(self) -> LocalStorageExport | None:
        return await asyncio.to_thread(_read_export, self._paths.live / LOCAL_STORAGE_EXPORT)

    async def write_local_storage_export(self, export: LocalStorageExport) -> None:
        await self._run(lambda: _write_export(self._paths.live / LOCAL_STORAGE_EXPORT, export))

    async def snapshot(
        self,
        *,
        freeze: Callable[[], None],
        thaw: Callable[[], None],
        epoch: int,
        browser_version: str,
        page_version: str = "",
    ) -> Snapshot:
        return await self._run(lambda: self._snapshot(freeze, thaw, epoch, browser_version, page_version))

    async def snapshot_at_rest(self, *, epoch: int, browser_version: str) -> Snapshot:
        return await self._run(lambda: self._snapshot(_no_browser, _no_browser, epoch, browser_version, ""))

    def _snapshot(
        self, freeze: Callable[[], None], thaw: Callable[[], None], epoch: int, browser_version: str, page_version: str
    ) -> Snapshot:
        snapshot_id = uuid.uuid4().hex
        folder = private_folder(self._paths.staging / f"snapshot-{snapshot_id}")
        try:
            pause = SnapshotClone(self._paths.live, folder / PROFILE, self._clock).take(freeze, thaw)
            manifest = self._checked_manifest(folder / PROFILE, snapshot_id, epoch, browser_version, page_version)
        except BaseException:
            remove_tree(folder)
            raise
        self._stage(folder)
        return Snapshot(id=snapshot_id, folder=folder, manifest=manifest, pause_ms=pause)

    def _checked_manifest(
        self, profile: Path, snapshot_id: str, epoch: int, browser_version: str, page_version: str
    ) -> SnapshotManifest:
        check = check_profile(profile)
        if not check.valid:
            raise ProfileDamaged(f"the snapshot is no whole profile: {check.explanation()}")
        manifest = self._hashes.manifest(
            profile,
            session=self._session,
            snapshot=snapshot_id,
            epoch=epoch,
            taken_at=self._clock.now(),
            browser_version=browser_version,
            page_version=page_version,
        )
        self._refuse_shrunk(manifest.total_bytes())
        return manifest

    def _refuse_shrunk(self, total: int) -> None:
        """Raises ProfileDamaged once. When the next snapshot is as small, the profile really is."""
        last, self._last_bytes = self._last_known_bytes(), total
        if shrunk(total, last):
            raise ProfileDamaged(f"the snapshot has {total} bytes where the one before had {last}")

    def _last_known_bytes(self) -> int | None:
        if self._last_bytes is not None:
            return self._last_bytes
        return next((whole.save.bytes for whole in self._saves.all()), None)

    def _stage(self, folder: Path) -> None:
        """The two newest snapshots stay readable, and those on offer."""
        self._staged.append(folder)
        for old in self._staged[:-2]:
            if old not in self._offers.folders:
                self._staged.remove(old)
                remove_tree(old)

    async def add_save(self, snapshot: Snapshot) -> Save:
        return await self._run(lambda: self._saves.add(snapshot))

    async def saves(self) -> list[Save]:
        return [whole.save for whole in await self._run(self._saves.all)]

    async def saves_bytes(self) -> int:
        return await asyncio.to_thread(self._saves.bytes)

    async def restore_save(self, save: Save, *, browser_version: str) -> None:
        await self._run(lambda: self._restore_save(save, browser_version))

    def _restore_save(self, save: Save, browser_version: str) -> None:
        whole = read_save(save.folder)
        if whole is None:
            raise ProfileDamaged("the save is not whole")
        refuse_newer(whole.manifest.browser_version, browser_version)
        try:
            self._replace_live(lambda target: copy_save(whole.save.folder / PROFILE, whole.manifest, target))
        except ProfileDamaged:
            self._saves.mark_damaged(whole)
            log.warning("save_damaged", save=save.id)
            raise

    def _replace_live(self, fill: Callable[[Path], None]) -> None:
        """Let `fill` build a profile in the staging folder, and put that profile in place of the live one."""
        folder = self._new_incoming()
        self._last_bytes = None
        try:
            fill(folder / PROFILE)
            self._swap.replace_live(folder / PROFILE)
        finally:
            self._drop_incoming(folder)

    def _new_incoming(self) -> Path:
        self._swap.finish()
        return private_folder(self._paths.staging / f"incoming-{uuid.uuid4().hex}")

    def _drop_incoming(self, folder: Path) -> None:
        """Unless a swap was begun with it; then the next `lock` finishes the swap."""
        if not self._paths.swap_plan.exists():
            remove_tree(folder)

    async def restore_backup(self, source: ChunkSource, *, browser_version: str) -> SnapshotManifest:
        async with self._turn:
            manifest = await source.manifest()
            refuse_newer(manifest.browser_version, browser_version)
            if manifest.session != self._session:
                raise ProfileDamaged("the backup belongs to another session")
            self._last_bytes = None
            await self._fetch(BackupFetch(source, self._new_incoming() / PROFILE, self._clock), manifest)
            return manifest

    async def _fetch(self, fetch: BackupFetch, manifest: SnapshotManifest) -> None:
        try:
            await fetch.run(manifest)
            await in_thread(lambda: self._swap.replace_live(fetch.target))
        finally:
            await in_thread(lambda: self._drop_incoming(fetch.target.parent))

    async def import_old_profile(self) -> bool:
        return await self._run(self._import_old_profile)

    def _import_old_profile(self) -> bool:
        if self._paths.import_done_mark.exists():
            return False
        found = self._use_in_place() or self._copy_remote_auth()
        write_durably(self._paths.import_done_mark, b"")
        return found

    def _use_in_place(self) -> bool:
        """A LocalAuth profile lies where ours lies. A save holds its state from before our first start."""
        if not (self._paths.live / "Default").is_dir():
            return False
        try:
            version = legacy_import.last_version(self._paths.live)
            self._saves.add(self._snapshot(_no_browser, _no_browser, 0, version, ""))
        except ProfileDamaged as damage:
            log.warning("old_profile_damaged", problem=str(damage))
        else:
            log.info("old_profile_used_in_place")
        return True

    def _copy_remote_auth(self) -> bool:
        root = self._paths.live.parent
        folder, archive = (
            legacy_import.remote_auth_folder(root, self._session),
            legacy_import.remote_auth_zip(root, self._session),
        )
        try:
            if folder:
                refuse_living_browser(folder, orphans_allowed=False)
                self._replace_live(lambda target: legacy_import.copy_folder(folder, target))
            elif archive:
                self._replace_live(lambda target: legacy_import.unpack(archive, target))
        except ProfileDamaged as damage:
            log.warning("old_profile_damaged", problem=str(damage))
            return False
        return bool(folder or archive)

    async def trim(self, max_bytes: int) -> int:
        size = (await self.inspect()).bytes
        return await self._run(lambda: trim_caches(self._paths.live)) if size > max_bytes else 0

    async def set_aside(self) -> None:
        await self._run(self._swap.set_aside)

    async def drop_set_aside(self) -> None:
        await self._run(self._swap.drop_set_aside)

    async def wipe(self) -> None:
        await self._run(self._wipe)

    def _wipe(self) -> None:
        """The lock, the outbox and the mark stay: a cleared session must not be imported from the old system again."""
        self._paths.swap_plan.unlink(missing_ok=True)
        private_folder(self._paths.state)
        write_durably(self._paths.import_done_mark, b"")
        self._saves.wipe()
        self._swap.drop_set_aside()
        self._empty_staging()
        self._remove_live()
        self._last_bytes = None

    def _remove_live(self) -> None:
        """Rename first, so that an interrupted wipe never leaves half a profile in the live folder."""
        try:
            self._paths.live.rename(self._paths.staging / "wiped")
        except FileNotFoundError:
            return
        except OSError:
            remove_tree(self._paths.live)
        remove_tree(self._paths.staging / "wiped")

    async def read_chunk(self, snapshot_id: str, sha256: str) -> bytes:
        return await asyncio.to_thread(self._offers.read, snapshot_id, sha256)

    @asynccontextmanager
    async def offer(self, snapshot: Snapshot) -> AsyncIterator[tuple[str, ...]]:
        with self._offers.open(snapshot.manifest, snapshot.folder / PROFILE) as chunks:
            yield chunks

    async def _run(self, work: Callable[[], T]) -> T:
        async with self._turn:
            return await in_thread(work)


def _no_browser() -> None:
    """Freezes and thaws a profile at rest."""


def _read_export(path: Path) -> LocalStorageExport | None:
    try:
        data = json.loads(path.read_bytes())
        entries = {str(key): str(value) for key, value in data["entries"].items()}
        return LocalStorageExport(origin=str(data["origin"]), sequence=int(data["sequence"]), entries=entries)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _write_export(path: Path, export: LocalStorageExport) -> None:
    """JSON with escapes, because localStorage may hold halves of surrogate pairs, which UTF-8 cannot."""
    private_folder(path.parent)
    write_durably(path, json.dumps(asdict(export)).encode("ascii"))
