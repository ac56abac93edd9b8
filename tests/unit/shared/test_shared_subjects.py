"""Subjects have one spelling, in one file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.contracts import registry, subjects
from shared.contracts.backups import LIST_BACKUPS
from shared.contracts.commands import SEND_TEST
from shared.contracts.subjects import matches

ROOT = Path(__file__).resolve().parents[3]
SUBJECTS = ROOT / "shared" / "src" / "shared" / "contracts" / "subjects.py"
SPELLED = re.compile(r"\bwa\.(cmd|evt|tel)\b|\bwa-(sessions|status|leases)\b|\bWA_EVENTS\b")


def test_no_file_of_the_product_but_one_spells_a_subject_or_a_bucket() -> None:
    product = [path for part in ("shared", "services", "deploy") for path in (ROOT / part).rglob("*.py")]
    assert SUBJECTS in product
    assert len(product) > 100
    assert [path for path in product if SPELLED.search(path.read_text())] == [SUBJECTS]


@pytest.mark.parametrize(
    ("subject", "users"),
    [
        (subjects.command(SEND_TEST, "shop"), {"gateway"}),
        (subjects.command(LIST_BACKUPS, "shop"), {"gateway", "browser-worker"}),
        (subjects.reply_to(subjects.command(SEND_TEST, "shop")), {"browser-worker"}),
        (subjects.event("backup", "failed", "shop"), {"backup"}),
        (subjects.telemetry("health", "report", "h1"), {"health"}),
        (subjects.key_of_bucket(subjects.SESSIONS_BUCKET, "shop"), {"gateway"}),
        (subjects.key_of_bucket(subjects.LEASES_BUCKET, "shop"), {"browser-worker"}),
        ("wa.cmd.message.send-test", set()),
        ("wa.cmd.message.send-test.shop.more", set()),
        ("$JS.ACK.KV_wa-status.c.1.1.1.1.0", set()),
        ("", set()),
    ],
)
def test_each_subject_has_its_senders_and_an_unknown_one_has_none(subject: str, users: set[str]) -> None:
    assert registry.senders(subject) == users


def test_what_a_worker_is_asked_by_the_gateway_is_private_for_the_owner_and_nothing_else_is() -> None:
    for command in registry.COMMANDS:
        asked_by_gateway = command.server == "browser-worker" and "gateway" in command.askers
        assert command.request.private == asked_by_gateway, command.verb


@pytest.mark.parametrize(
    ("pattern", "subject", "matching"),
    [("a.*", "a.b", True), ("a.*", "a", False), ("a.*", "a.b.c", False), ("a.>", "a.b.c", True), ("a.>", "a", False)],
)
def test_wildcards_are_those_of_nats(pattern: str, subject: str, *, matching: bool) -> None:
    assert matches(pattern, subject) == matching
