"""Trimming frees caches and nothing else."""

from __future__ import annotations

from pathlib import Path

from browser_worker.adapters.profile.trim import trim_caches


def test_only_caches_are_removed_and_their_size_is_told(tmp_path: Path) -> None:
    kept = ["Default/IndexedDB/x.leveldb/000003.log", "Default/Local Storage/leveldb/CURRENT", "Local State"]
    for name in [*kept, "Default/Cache/Cache_Data/f_000001", "ShaderCache/data_1", "Default/Code Cache/js/a"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 1000)

    assert trim_caches(tmp_path) == 3000

    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert left == sorted(kept)
    assert trim_caches(tmp_path) == 0


def test_a_link_out_of_the_profile_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    profile = tmp_path / "profile"
    profile.mkdir()
    (profile / "Cache").symlink_to(outside)

    trim_caches(profile)

    assert (outside / "precious").exists()
