"""Makes a profile smaller without risk: removes caches, which the browser makes again, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

from browser_worker.adapters.durable_files import remove_tree
from browser_worker.domain.profile_rules import is_cache


def trim_caches(profile: Path) -> int:
    """Remove every cache under `profile`, on which no browser may run. Gives the bytes that were freed."""
    freed = 0
    for folder, names, _ in os.walk(profile):
        for name in [name for name in names if is_cache(name)]:
            names.remove(name)
            cache = Path(folder) / name
            freed += _bytes_in(cache)
            remove_tree(cache)
    return freed


def _bytes_in(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
