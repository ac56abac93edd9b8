"""What is recommended, and above all what is not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from health_samples import (
    LIMITS,
    NOW,
    WELL,
    ago,
    backup_replica,
    in_state,
    observations,
    recommended,
    record,
    verdict,
    with_backups,
    with_browser,
    with_profile,
    with_saves,
    with_status,
    worker,
)
from hypothesis import example, given, settings

from health.domain.case import Case
from health.domain.causes import cause_of
from health.domain.checks import RULES
from health.domain.observation import Observation
from health.domain.samples import DuplicateOwner
from shared.contracts.sessions import Reason

DAMAGED = with_profile(valid=False, missing_files=("Local Storage",))
NO_SAVE = with_saves(DAMAGED, count=0, newest_at=None)
NO_COPY = with_backups(NO_SAVE, count=0, newest_at=None)
NOT_KNOWN = with_backups(NO_COPY, known=False)
BLOCKING = [reason for reason in Reason if cause_of(reason) is not None]
ACTIONS = {"initialize", "clear", "health-check", "backup", "restore", ""}


@given(seen=observations)
@example(seen=DAMAGED)
@example(seen=NO_SAVE)
@example(seen=NOT_KNOWN)
@settings(max_examples=500)
def test_clear_is_never_recommended_while_a_copy_exists_or_may_exist(seen: Observation) -> None:
    if "clear" not in recommended(seen).values():
        return
    assert seen.status is not None
    assert seen.status.backups.known
    assert (seen.status.backups.count, seen.status.backups.newest_at) == (0, None)
    assert (seen.status.saves.count, seen.status.saves.newest_at) == (0, None)


def test_clear_is_recommended_for_a_damaged_profile_of_which_no_copy_exists() -> None:
    assert recommended(NO_COPY)["clear-damaged"] == "clear"
    assert "restore" not in recommended(NO_COPY).values()


def test_a_damaged_profile_with_backups_is_restored() -> None:
    found = recommended(DAMAGED)
    assert found["restore-backup"] == "restore"
    assert not {"clear", "initialize"} & set(found.values())


def test_a_damaged_profile_with_only_a_save_is_initialized() -> None:
    assert recommended(with_backups(DAMAGED, count=0, newest_at=None))["restart-from-save"] == "initialize"


def test_a_damaged_profile_waits_while_nobody_knows_whether_backups_exist() -> None:
    found = recommended(NOT_KNOWN)
    assert found["find-copies"] == ""
    assert set(found.values()) <= {"", "health-check"}


def test_a_restore_under_way_is_waited_for() -> None:
    found = recommended(in_state("restoring", "profile_damaged", seen=DAMAGED))
    assert "wait-restore" in found
    assert set(found.values()) == {""}


@given(seen=observations)
@settings(max_examples=500)
def test_nobody_is_told_to_reconnect_while_a_cause_stands(seen: Observation) -> None:
    if Case(seen, LIMITS, NOW).should_run and Case(seen, LIMITS, NOW).cause is not None:
        assert not {"initialize", "restore", "clear", "health-check"} & set(recommended(seen).values())


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("banned", "account-banned"),
        ("terms_not_accepted", "accept-terms"),
        ("page_outdated", "update-page"),
        ("network_refused", "change-network"),
        ("unknown_dialog", "answer-dialog"),
        ("profile_in_use", "stop-other-program"),
        ("browser_too_old", "update-browser"),
        ("tombstone_unverified", "decide-clear"),
    ],
)
def test_each_cause_has_its_own_recommendation(reason: str, expected: str) -> None:
    assert recommended(in_state("needs_attention", reason)) == {expected: ""}


@given(seen=observations)
def test_each_recommendation_is_of_the_table_and_has_evidence(seen: Observation) -> None:
    found = verdict(seen).recommendations
    assert {each.action for each in found} <= ACTIONS
    assert len({each.id for each in found}) == len(found)
    assert all(each.text and each.text_ar and each.evidence for each in found)


@given(seen=observations)
def test_an_issue_always_comes_with_a_recommendation(seen: Observation) -> None:
    """Except while something is under way, or is not known yet."""
    report = verdict(seen)
    critical = [issue.code for issue in report.issues if issue.level == "critical"]
    if critical and critical != ["WA-CONNECTION"]:
        assert report.recommendations


@pytest.mark.parametrize("reason", BLOCKING)
@pytest.mark.parametrize("seen", [DAMAGED, NO_SAVE, NO_COPY, NOT_KNOWN, with_backups(DAMAGED, count=0, newest_at=None)])
def test_a_session_with_a_cause_is_left_alone_even_when_its_profile_is_damaged(seen: Observation, reason: str) -> None:
    refused = in_state("needs_attention", reason, 20, with_profile(seen, validated_at=ago(5)))
    assert "WA-PROFILE" in {issue.code for issue in verdict(refused).issues}
    assert set(recommended(refused).values()) == {""}


def test_a_session_at_rest_can_be_initialized() -> None:
    for seen in (
        replace(WELL, status=None, record=None),
        replace(in_state("stopped"), record=record("stopped")),
        replace(WELL, status=None, record=record("cleared")),
    ):
        assert recommended(seen) == {"initialize": "initialize"}


@pytest.mark.parametrize("state", ["failed", "needs_attention", "reconnecting", "starting", "stopped"])
def test_trouble_that_lasts_is_initialized(state: str) -> None:
    assert recommended(in_state(state, for_seconds=999))["initialize"] == "initialize"


def test_an_unlinked_phone_is_linked_again_and_never_cleared_or_restored() -> None:
    seen = in_state("logged_out", "unlinked_by_phone", seen=with_profile(valid=False))
    assert recommended(seen) == {"link-again": "initialize"}


def test_a_conflict_is_first_closed_elsewhere() -> None:
    assert recommended(in_state("conflict", "open_elsewhere")) == {"close-elsewhere": "initialize"}


def test_a_qr_is_to_be_scanned() -> None:
    assert recommended(in_state("pairing", "scan_the_qr")) == {"scan-qr": ""}


def test_a_missing_or_old_backup_is_made() -> None:
    assert recommended(with_backups(count=0, newest_at=None)) == {"back-up": "backup"}
    assert recommended(with_backups(newest_at=ago(901))) == {"back-up": "backup"}


def test_a_backup_is_not_asked_of_a_store_that_is_down() -> None:
    seen = replace(with_backups(newest_at=ago(901)), backup_replicas=(backup_replica(store_ok=False),))
    assert recommended(seen) == {"mend-store": ""}


def test_a_backup_is_not_asked_of_a_damaged_profile() -> None:
    assert "backup" not in recommended(with_backups(DAMAGED, newest_at=ago(901))).values()


def test_a_silent_page_gets_a_health_check() -> None:
    assert recommended(with_status(probed_at=ago(70))) == {"health-check": "health-check"}


def test_without_a_worker_no_action_is_offered() -> None:
    assert set(recommended(replace(WELL, workers=())).values()) == {""}
    assert set(recommended(replace(WELL, workers=(), record=record("stopped"))).values()) == {""}


@given(seen=observations)
def test_without_the_bus_no_action_is_offered(seen: Observation) -> None:
    assert set(recommended(replace(seen, listening_since=None)).values()) == {""}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (with_profile(bytes=200 * 1024 * 1024), "shrink-profile"),
        (with_browser(memory_bytes=2**40), "more-memory"),
        (with_browser(send_ok=False), "update-driver"),
        (replace(WELL, workers=(worker(disk_free_bytes=0),)), "more-disk"),
        (replace(WELL, duplicate_owners=(DuplicateOwner("b", NOW, True),)), "one-owner"),
        (replace(WELL, listening_since=None), "mend-bus"),
        (replace(WELL, backup_replicas=()), "mend-store"),
        (replace(WELL, workers=()), "mend-worker"),
    ],
)
def test_what_a_person_must_do_is_recommended_without_an_action(seen: Observation, expected: str) -> None:
    assert recommended(seen) == {expected: ""}


def test_ids_are_unique() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
