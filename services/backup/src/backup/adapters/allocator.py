"""Make glibc return freed memory to the system.

A backup moves packs of 8 MB through memory. When glibc frees a large block it raises its mmap threshold (mallopt(3)).
Later blocks then come from its heaps, one for each thread, and the heaps stay large: about 50 MB more than with a fixed
threshold, at the same speed (measured). On other C libraries nothing happens.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Parameters of mallopt(3)."""


def return_freed_memory() -> bool:
    """Must run before the first thread starts. False where there is no mallopt."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    mallopt(_ARENA_MAX, 2)
    mallopt(_MMAP_THRESHOLD, 256 * 1024)
    mallopt(_TRIM_THRESHOLD, 1024 * 1024)
    return True
