"""A real browser that writes, and a store on its profile."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from browser_worker.adapters.profile.store import DiskProfileStore
from shared.clock import SystemClock

_TESTS = Path(__file__).parents[2]
sys.path[:0] = [str(_TESTS / "unit/worker_storage"), str(_TESTS / "integration/worker_storage")]


@pytest.fixture
async def locked_store(tmp_path: Path) -> AsyncIterator[DiskProfileStore]:
    store = DiskProfileStore(tmp_path / "sessions", tmp_path / "saves", "shop", SystemClock())
    async with store.lock():
        yield store
