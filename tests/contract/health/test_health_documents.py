"""What others rely on: the document, the JSON of the reports, the codes."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from health_samples import (
    NOW,
    WELL,
    ago,
    backup_replica,
    in_state,
    record,
    verdict,
    with_backups,
    with_browser,
    with_profile,
    with_status,
)

from health.domain.checks import CHECKS
from health.domain.documents import checks_document
from health.domain.observation import Observation
from shared.contracts.health import HealthReport
from shared.contracts.message import decode, encode

DOCS = Path(__file__).parents[3] / "docs"
GOLDEN = Path(__file__).parent / "golden" / "reports.json"

REPORTS: dict[str, Observation] = {
    "healthy": WELL,
    "just-started": Observation(session="shop", listening_since=ago(2)),
    "never-started": replace(WELL, status=None, record=None),
    "pairing": in_state("pairing", "scan_the_qr", 40),
    "banned": in_state("needs_attention", "banned", 600),
    "damaged-with-backups": with_profile(valid=False, missing_files=("Default/IndexedDB",)),
    "store-down": replace(
        with_backups(newest_at=ago(4000)), backup_replicas=(backup_replica(store_ok=False, store_down_since=ago(900)),)
    ),
    "many-small-problems": with_status(
        with_browser(with_profile(bytes=200 * 2**20), memory_bytes=800 * 2**20, send_ok=False), probed_at=ago(70)
    ),
    "stopped": replace(in_state("stopped", "stopped", 90), record=record("stopped")),
    "bus-lost": replace(WELL, listening_since=None),
}


def test_the_document_names_every_check_in_both_languages() -> None:
    for each in CHECKS:
        assert f"| {each.code} |" in checks_document()
        assert each.title.ar in checks_document()


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    """`WRITE_GOLDEN=1` writes what the code says now; look at the difference before it is committed."""
    if os.environ.get("WRITE_GOLDEN"):
        now = {name: json.loads(encode(verdict(seen))) for name, seen in REPORTS.items()}
        GOLDEN.write_text(json.dumps(now, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    found: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return found


def test_there_is_a_golden_report_of_each_observation_and_no_other(golden: dict[str, Any]) -> None:
    assert golden.keys() == REPORTS.keys()


@pytest.mark.parametrize("name", REPORTS)
def test_the_report_is_the_golden_one(name: str, golden: dict[str, Any]) -> None:
    assert json.loads(encode(verdict(REPORTS[name]))) == golden[name]


@pytest.mark.parametrize("name", REPORTS)
def test_the_golden_report_can_be_read(name: str, golden: dict[str, Any]) -> None:
    report = decode(json.dumps(golden[name]).encode(), HealthReport)
    assert report.at == NOW
    assert report.overall in ("healthy", "warning", "critical")


def test_codes_are_stable() -> None:
    assert [each.code for each in CHECKS] == [
        "WA-CONNECTION", "WA-PROBE", "WA-STALE", "WA-RECONNECTS", "WA-SIZE", "WA-FILES", "WA-PROFILE", "WA-BACKUP",
        "WA-ATTEMPT", "WA-SAVE", "WA-LOSS", "WA-RECORDS", "WA-MEMORY", "WA-SELFCHECK", "WA-WORKER", "WA-STORE",
        "WA-OWNERS", "WA-DISK", "WA-NATS", "WA-GATEWAY",
    ]  # fmt: skip
