"""Make glibc give memory back.

A store moves packs of 8 MB through memory. glibc answers a freed large block by serving the next ones from its heaps,
one for each thread, which then stay large: about 50 MB more than with a fixed threshold, at the same speed. Elsewhere
this does nothing.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Parameters of mallopt(3)."""


def give_memory_back() -> bool:
    """Call it before threads start. False where there is no mallopt."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    mallopt(_ARENA_MAX, 2)
    mallopt(_MMAP_THRESHOLD, 256 * 1024)
    mallopt(_TRIM_THRESHOLD, 1024 * 1024)
    return True
