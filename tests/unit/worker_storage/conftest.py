"""A store on a profile made by hand."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from browser_worker.adapters.profile.store import DiskProfileStore
from shared.clock import SystemClock

sys.path.insert(0, str(Path(__file__).parent))

from tiny_profile import age, make_profile


@pytest.fixture
def make_store(tmp_path: Path) -> Callable[[], DiskProfileStore]:
    """A new store over the same folders, as a new life of the worker would have."""
    return lambda: DiskProfileStore(tmp_path / "sessions", tmp_path / "saves", "shop", SystemClock())


@pytest.fixture
def store(make_store: Callable[[], DiskProfileStore]) -> DiskProfileStore:
    """With a profile that has been at rest for a minute."""
    made = make_store()
    age(make_profile(made.profile))
    return made
