"""When a generation is continued, and when a new one begins."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from backup.domain.generations import GenerationPolicy, GenerationReason, NewestGeneration, choose, is_orphan
from backup.domain.layout import BackupName
from backup.domain.listing import BackupRef, Generation, ListedObject

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
POLICY = GenerationPolicy()
SOUND = NewestGeneration(name="g", started_at=NOW - timedelta(hours=2), referenced_bytes=80, pack_bytes=100)


def test_a_sound_young_generation_is_continued() -> None:
    assert choose(SOUND, POLICY, NOW).name == "g"


def test_the_first_store_begins_one() -> None:
    assert choose(None, POLICY, NOW).name is None


@pytest.mark.parametrize(
    "change",
    [
        {"damaged": True},
        {"cleared": True},
        {"same_key": False},
        {"started_at": NOW - timedelta(hours=24)},
        {"started_at": NOW + timedelta(days=400)},
        {"referenced_bytes": 49},
    ],
)
def test_each_of_these_begins_a_new_one(change: dict[str, object]) -> None:
    choice = choose(replace(SOUND, **change), POLICY, NOW)  # type: ignore[arg-type]
    assert choice.name is None
    assert choice.reason not in (GenerationReason.CONTINUED, GenerationReason.FIRST)
    assert choice.reason


def test_packs_without_any_manifest_are_orphans_only_when_nothing_was_written_for_long() -> None:
    generation = Generation("g", NOW - timedelta(days=9))
    generation.objects = [ListedObject("p", 1, "e", NOW - timedelta(hours=23))]
    assert not is_orphan(generation, POLICY, NOW)
    generation.objects = [ListedObject("p", 1, "e", NOW - timedelta(hours=25))]
    assert is_orphan(generation, POLICY, NOW)
    generation.started_at = NOW - timedelta(hours=23)
    assert not is_orphan(generation, POLICY, NOW), "the store's clock alone says that it is old"
    generation.started_at = NOW - timedelta(days=9)
    generation.backups = [BackupRef(BackupName(1, 1, "20261122T120000000Z"), "g", generation.objects[0])]
    assert not is_orphan(generation, POLICY, NOW)
