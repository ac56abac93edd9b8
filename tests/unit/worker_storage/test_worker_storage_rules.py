from __future__ import annotations

import pytest

from browser_worker.domain.profile_rules import Kind, kind_of, left_out, shrunk, travels


@pytest.mark.parametrize(
    "path",
    [
        "Default/Cache",
        "Default/Code Cache",
        "Default/GPUCache",
        "GrShaderCache",
        "Crashpad",
        "SingletonLock",
        "SingletonCookie",
        "SingletonSocket",
        "Default/Local Storage/leveldb/LOCK",
        "Default/IndexedDB/x.indexeddb.leveldb/LOG",
        "Default/IndexedDB/x.indexeddb.leveldb/000007.dbtmp",
        "Default/.org.chromium.Chromium.a1B2c3",
        "Safe Browsing",
    ],
)
def test_caches_locks_and_temporary_files_stay_out(path: str) -> None:
    assert left_out(path)


@pytest.mark.parametrize(
    "path",
    [
        "Default/Local Storage/leveldb/000003.log",
        "Default/IndexedDB/x.indexeddb.leveldb/CURRENT",
        "Default/IndexedDB/x.indexeddb.blob/1/00/7",
        "Default/Cookies",
        "Default/Preferences",
        "Local State",
        "Persistent Session/local-storage.json",
    ],
)
def test_what_makes_the_login_travels(path: str) -> None:
    assert travels(path)


def test_a_file_below_a_folder_that_is_left_out_does_not_travel() -> None:
    assert not travels("Default/Cache/Cache_Data/data_1")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a/000012.ldb", Kind.FINISHED),
        ("a/000012.sst", Kind.FINISHED),
        ("Default/IndexedDB/x.indexeddb.blob/1/00/a3", Kind.FINISHED),
        ("a/000013.log", Kind.GROWING),
        ("a/MANIFEST-000001", Kind.GROWING),
        ("a/CURRENT", Kind.OTHER),
        ("a/Cookies", Kind.OTHER),
        ("a/my.ldb", Kind.OTHER),
        ("a/000012.ldb.copy", Kind.OTHER),
    ],
)
def test_only_finished_files_may_share_their_bytes(path: str, kind: Kind) -> None:
    assert kind_of(path) is kind


def test_a_copy_that_lost_most_of_its_bytes_is_suspicious_and_a_first_or_small_one_is_not() -> None:
    mb = 1024 * 1024
    assert shrunk(2 * mb, 100 * mb)
    assert not shrunk(50 * mb, 100 * mb)
    assert not shrunk(1, None)
    assert not shrunk(1, 4 * mb)
