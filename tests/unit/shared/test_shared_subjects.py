"""Subjects have one spelling, in one file."""

from __future__ import annotations

import re
from pathlib import Path

from shared.contracts import registry, subjects
from shared.contracts.backups import STORE_SNAPSHOT
from shared.contracts.commands import CHECK
from shared.testing.fake_bus import matches

ROOT = Path(__file__).resolve().parents[3]
SUBJECTS = ROOT / "shared" / "src" / "shared" / "contracts" / "subjects.py"
SPELLED = re.compile(r"\bwa\.(cmd|evt|tel)\b|\bwa-(sessions|status|leases)\b|\bWA_EVENTS\b")


def test_no_file_of_the_product_but_one_spells_a_subject_or_a_bucket() -> None:
    product = [path for part in ("shared", "services", "deploy") for path in (ROOT / part).rglob("*.py")]
    assert SUBJECTS in product
    assert len(product) > 100
    assert [path for path in product if SPELLED.search(path.read_text())] == [SUBJECTS]


def test_a_wildcard_of_an_area_covers_its_subjects_and_no_others() -> None:
    check = subjects.command(CHECK, "shop")
    assert matches(subjects.commands_of(subjects.SESSION_AREA), check)
    assert not matches(subjects.commands_of(subjects.MESSAGE_AREA), check)
    event = subjects.event("backup", "failed", "shop")
    assert matches(subjects.events_of(subjects.BACKUP_AREA), event)
    assert not matches(subjects.events_of(subjects.SESSION_AREA), event)
    assert matches(subjects.EVENTS, event)
    heartbeat = subjects.telemetry("backup", "heartbeat", "b1")
    assert matches(subjects.telemetry_of("backup"), heartbeat)
    assert not matches(subjects.telemetry_of("health"), heartbeat)
    assert matches(subjects.TELEMETRY, heartbeat)
    assert not matches(subjects.TELEMETRY, event)


def test_every_command_belongs_to_an_area() -> None:
    areas = (
        subjects.SESSION_AREA,
        subjects.MESSAGE_AREA,
        subjects.SNAPSHOT_AREA,
        subjects.BACKUP_AREA,
        subjects.HEALTH_AREA,
    )
    assert STORE_SNAPSHOT in registry.COMMANDS
    for command in registry.COMMANDS:
        assert sum(matches(subjects.commands_of(area), subjects.command(command, "shop")) for area in areas) == 1
