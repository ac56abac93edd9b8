"""Which files make a login, how each kind of file may be copied, and when a copy is too small to be true.

Pure: works on relative paths with forward slashes, and never looks at a disk. The trap: only LevelDB tables and the
blobs of IndexedDB are never written again. No other file of a copy may share its bytes with a profile that a browser
runs on.
"""

from __future__ import annotations

import re
from enum import Enum

LOCAL_STORAGE = "Default/Local Storage/leveldb"
INDEXED_DB = "Default/IndexedDB"
SESSION_STORAGE = "Default/Session Storage"
COOKIES = "Default/Cookies"

ESSENTIAL = (LOCAL_STORAGE, INDEXED_DB)
"""Without these a browser finds no login: half the keys lie in each."""

LOCAL_STORAGE_EXPORT = "Persistent Session/local-storage.json"
"""The local-storage export; it lies inside the profile, so that every copy of the profile holds it."""

SINGLETONS = ("SingletonLock", "SingletonCookie", "SingletonSocket")

_CACHES = frozenset(
    {
        "Cache", "Code Cache", "GPUCache", "DawnCache", "DawnGraphiteCache", "DawnWebGPUCache", "GrShaderCache",
        "ShaderCache", "GraphiteDawnCache", "GPUPersistentCache", "component_crx_cache", "extensions_crx_cache",
        "Crashpad", "Crash Reports", "BrowserMetrics", "blob_storage",
    }
)  # fmt: skip
_KEPT_AT_REST = frozenset({"blob_storage"})
"""Left out of snapshots, but not removed: the browser cannot make it again while a page still refers to it."""
_DOWNLOADS = frozenset(
    {
        "Safe Browsing", "optimization_guide_model_store", "OptimizationGuideModelsManifest", "WidevineCdm",
        "OnDeviceHeadSuggestModel", "ZxcvbnData", "hyphen-data", "segmentation_platform", "Subresource Filter",
    }
)  # fmt: skip
"""At the top of the profile: the browser downloads these again, tens of megabytes in full Chromium."""
_LEFT_OUT_NAMES = frozenset({*SINGLETONS, "LOCK", "LOG", "LOG.old", "lockfile", "DevToolsActivePort"})
_TEMPORARY = re.compile(r"\.org\.chromium\.|\.com\.google\.Chrome\.|BrowserMetrics-|.*\.dbtmp$|.*\.tmp$")
_TABLE = re.compile(r"\d+\.(ldb|sst)")
_BLOBS = ".indexeddb.blob/"
_GROWING = re.compile(r"\d+\.log|MANIFEST-\d+")

_SHRINK_FACTOR = 8
_SHRINK_FLOOR_BYTES = 8 * 1024 * 1024


class Kind(Enum):
    """How a file changes while the browser runs."""

    FINISHED = "finished"
    """A LevelDB table or a blob of IndexedDB: grows while it is made, never changes afterwards."""
    GROWING = "growing"
    """A LevelDB log or manifest: only ever appended to, so its first n bytes stay what they were."""
    OTHER = "other"
    """May change anywhere at any time."""


def is_cache(name: str) -> bool:
    """Whether a folder of this name may be removed from a profile at rest without losing anything."""
    return name in _CACHES - _KEPT_AT_REST


def left_out(path: str) -> bool:
    """Whether a file or folder stays out of snapshots: caches, locks, temporary files, crash dumps."""
    top, _, rest = path.partition("/")
    name = path.rsplit("/", 1)[-1]
    return (
        name in _CACHES or name in _LEFT_OUT_NAMES or (not rest and top in _DOWNLOADS) or bool(_TEMPORARY.match(name))
    )


def travels(path: str) -> bool:
    """Whether a file belongs into a snapshot: neither it nor a folder above it is left out."""
    parts = path.split("/")
    return not any(left_out("/".join(parts[:depth])) for depth in range(1, len(parts) + 1))


def kind_of(path: str) -> Kind:
    name = path.rsplit("/", 1)[-1]
    if _TABLE.fullmatch(name) or _BLOBS in path:
        return Kind.FINISHED
    return Kind.GROWING if _GROWING.fullmatch(name) else Kind.OTHER


def shrunk(total_bytes: int, last_bytes: int | None) -> bool:
    """Whether a copy is so much smaller than the one before that something is likely to be missing."""
    return last_bytes is not None and last_bytes >= _SHRINK_FLOOR_BYTES and total_bytes * _SHRINK_FACTOR < last_bytes
