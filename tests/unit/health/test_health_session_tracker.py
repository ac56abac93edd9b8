"""How messages of the bus become an observation."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
from health_samples import NOW, WORKER, record, status
from hypothesis import given
from hypothesis import strategies as st

from health.domain.samples import NatsSample
from health.domain.session_tracker import MAX_EPOCHS, MAX_SESSIONS, SessionTracker
from health.domain.thresholds import Thresholds
from shared.contracts.events import SessionRestored, StateChanged
from shared.contracts.metrics import SESSION_RESTORES, SESSION_TRANSITIONS
from shared.contracts.sessions import SessionStatus
from shared.contracts.telemetry import BackupHeartbeat, WorkerHeartbeat


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def tracking() -> SessionTracker:
    tracker = SessionTracker("shop", Thresholds())
    tracker.bus_back(NOW)
    return tracker


def said(**changes: Any) -> SessionStatus:
    return msgspec.structs.replace(status(), **changes)


def beat(worker: str = WORKER, sessions: tuple[str, ...] = ("shop",)) -> WorkerHeartbeat:
    return WorkerHeartbeat(worker=worker, at=NOW, sessions=sessions, free_capacity=1, disk_free_bytes=2**40)


def changed(epoch: int, at: datetime = NOW, session: str = "shop", state: str = "connected") -> StateChanged:
    return StateChanged(session=session, at=at, epoch=epoch, before="starting", state=state, reason="")


def test_the_default_session_is_tracked_before_anything_is_known() -> None:
    assert tracking().sessions == ("shop",)


def test_sessions_with_a_record_or_a_status_are_tracked_the_default_one_first() -> None:
    tracker = tracking()
    tracker.update_record("b", record())
    tracker.update_status("a", said(session="a"), NOW, live=True)
    assert tracker.sessions == ("shop", "a", "b")
    tracker.update_record("b", None)
    assert tracker.sessions == ("shop", "a")


def test_asking_about_an_unknown_session_does_not_make_it_tracked() -> None:
    tracker = tracking()
    assert tracker.verdict("stranger", NOW).overall == "warning"
    assert tracker.sessions == ("shop",)


def test_names_that_are_no_session_ids_are_skipped() -> None:
    tracker = tracking()
    tracker.update_record("../../etc", record())
    tracker.apply_event(changed(1, session="A B"), counted=True)
    assert tracker.sessions == ("shop",)


def test_the_number_of_sessions_is_bounded() -> None:
    tracker = tracking()
    for number in range(MAX_SESSIONS + 10):
        tracker.update_record(f"s{number}", record())
    assert len(tracker.sessions) == MAX_SESSIONS


def test_a_live_status_is_as_old_as_its_arrival_and_a_repeated_one_as_it_says() -> None:
    tracker = tracking()
    tracker.update_status("shop", said(updated_at=later(-500)), NOW, live=True)
    assert tracker.observe("shop").status_seen_at == NOW
    other = tracking()
    other.update_status("shop", said(updated_at=later(-500)), NOW, live=False)
    assert other.observe("shop").status_seen_at == later(-500)


def test_a_repetition_is_no_sign_of_life() -> None:
    tracker = tracking()
    tracker.update_status("shop", said(), NOW, live=True)
    tracker.update_status("shop", said(), later(100), live=True)
    assert tracker.observe("shop").status_seen_at == NOW


def test_a_status_of_an_older_epoch_is_dropped_and_is_evidence_of_a_late_owner() -> None:
    tracker = tracking()
    tracker.update_status("shop", said(epoch=5, worker="new"), NOW, live=True)
    tracker.update_status("shop", said(epoch=4, worker="old"), later(1), live=True)
    seen = tracker.observe("shop")
    assert seen.status is not None
    assert seen.status.worker == "new"
    assert [(each.worker, each.same_epoch) for each in seen.duplicate_owners] == [("old", False)]


def test_two_workers_with_one_epoch_are_evidence_of_two_owners() -> None:
    tracker = tracking()
    tracker.update_status("shop", said(epoch=5, worker="one"), NOW, live=True)
    tracker.update_status("shop", said(epoch=5, worker="two"), later(1), live=True)
    assert [each.same_epoch for each in tracker.observe("shop").duplicate_owners] == [True]
    assert tracker.verdict("shop", later(2)).overall == "critical"


def test_a_successor_with_a_newer_epoch_is_no_second_owner() -> None:
    tracker = tracking()
    tracker.update_status("shop", said(epoch=5, worker="one"), NOW, live=True)
    tracker.update_status("shop", said(epoch=6, worker="two"), later(1), live=True)
    seen = tracker.observe("shop")
    assert seen.duplicate_owners == ()
    assert seen.takeovers == (later(1),)


def test_a_worker_whose_epoch_began_anew_is_believed() -> None:
    """The bus lost its data, and the epoch is not anchored yet."""
    tracker = tracking()
    tracker.update_status("shop", said(epoch=9), NOW, live=True)
    tracker.update_status("shop", said(epoch=1, updated_at=later(5)), later(5), live=True)
    assert tracker.observe("shop").status == said(epoch=1, updated_at=later(5))
    lost = tracking()
    lost.update_status("shop", said(epoch=9), NOW, live=True)
    lost.update_status("shop", None, later(1), live=False)
    lost.update_status("shop", said(epoch=1, worker="other"), later(2), live=True)
    assert lost.observe("shop").status is not None
    assert lost.observe("shop").duplicate_owners == ()


def test_an_older_status_of_the_same_worker_does_not_replace_a_newer_one() -> None:
    tracker = tracking()
    tracker.update_status("shop", said(updated_at=later(5), reason="new"), NOW, live=True)
    tracker.update_status("shop", said(updated_at=later(4), reason="old"), later(1), live=False)
    seen = tracker.observe("shop")
    assert seen.status is not None
    assert seen.status.reason == "new"


def test_takeovers_of_the_time_before_the_start_are_read_from_events() -> None:
    tracker = tracking()
    for epoch in (3, 4, 5):
        tracker.apply_event(changed(epoch, later(-100 + epoch)), counted=False)
        tracker.apply_event(changed(epoch, later(-50)), counted=False)
    tracker.update_status("shop", said(epoch=5), NOW, live=False)
    assert tracker.observe("shop").takeovers == (later(-96), later(-95))


@given(st.lists(st.integers(0, 500), max_size=200))
def test_the_memory_of_epochs_is_bounded(epochs: list[int]) -> None:
    tracker = tracking()
    for epoch in epochs:
        tracker.apply_event(changed(epoch), counted=False)
    assert len(tracker.observe("shop").takeovers) < MAX_EPOCHS


def test_holding_begins_anew_after_a_silence() -> None:
    tracker = tracking()
    tracker.update_worker(beat(), NOW)
    tracker.update_worker(beat(), later(2))
    assert tracker.observe("shop").workers[0].holding_since == NOW
    tracker.update_worker(beat(), later(20))
    assert tracker.observe("shop").workers[0].holding_since == later(20)
    tracker.update_worker(beat(sessions=()), later(22))
    assert tracker.observe("shop").workers[0].holding_since is None


def test_a_worker_that_is_gone_is_forgotten_once_another_is_heard() -> None:
    tracker = tracking()
    tracker.update_worker(beat("old"), NOW)
    assert tracker.verdict("shop", later(500)).checks
    assert len(tracker.observe("shop").workers) == 1
    tracker.update_worker(beat("new"), later(121))
    assert [each.worker for each in tracker.observe("shop").workers] == ["new"]


def test_a_backup_replica_shows_since_when_its_store_is_down() -> None:
    tracker = tracking()
    for seconds, ok in ((0, True), (5, False), (10, False)):
        tracker.update_backup_replica(BackupHeartbeat(instance="b", at=NOW, store_ok=ok), later(seconds))
    assert tracker.observe("shop").backup_replicas[0].store_down_since == later(5)
    tracker.update_backup_replica(BackupHeartbeat(instance="b", at=NOW, store_ok=True), later(15))
    assert tracker.observe("shop").backup_replicas[0].store_down_since is None


def test_slow_clients_are_counted_within_a_window_and_not_since_the_servers_start() -> None:
    tracker = tracking()
    counts: list[int] = []
    for seconds, total in ((0, 7), (5, 7), (10, 9), (400, 9), (405, 1)):
        tracker.update_nats(NatsSample(seen_at=later(seconds), slow_consumers=total))
        sample = tracker.observe("shop").nats
        assert sample is not None
        counts.append(sample.new_slow_consumers)
    assert counts == [0, 0, 2, 0, 0]


def test_a_monitor_that_is_silent_for_a_moment_makes_no_slow_clients() -> None:
    tracker = tracking()
    for sample in (NatsSample(seen_at=NOW, slow_consumers=3), NatsSample(seen_at=later(5), reachable=False)):
        tracker.update_nats(sample)
    seen = tracker.observe("shop").nats
    assert seen is not None
    assert seen.new_slow_consumers == 0


def test_only_new_events_are_counted() -> None:
    tracker = tracking()
    tracker.apply_event(changed(1), counted=False)
    tracker.apply_event(changed(1), counted=True)
    tracker.apply_event(SessionRestored(session="shop", at=NOW, epoch=1, source="save", snapshot="s"), counted=True)
    assert tracker.event_counts == {(SESSION_TRANSITIONS, "connected"): 1, (SESSION_RESTORES, "save"): 1}


def test_an_issue_is_raised_once_updated_and_resolved() -> None:
    tracker = tracking()
    tracker.bus_back(later(-100))
    tracker.update_worker(beat(), NOW)
    tracker.update_backup_replica(BackupHeartbeat(instance="b", at=NOW, store_ok=True), NOW)
    large = msgspec.structs.replace(status().profile, bytes=200 * 2**20)
    tracker.update_status("shop", said(profile=large), NOW, live=True)
    first = tracker.verdict("shop", NOW).issues
    larger = msgspec.structs.replace(large, bytes=400 * 2**20)
    tracker.update_status("shop", said(profile=larger), later(1), live=True)
    second = tracker.verdict("shop", later(2)).issues
    assert [(issue.code, issue.level) for issue in first + second] == [("WA-SIZE", "warning"), ("WA-SIZE", "critical")]
    assert first[0].since == second[0].since == NOW
    tracker.update_status("shop", said(), later(3), live=True)
    assert tracker.verdict("shop", later(3)).issues == ()
    tracker.update_status("shop", said(profile=large), later(4), live=True)
    assert tracker.verdict("shop", later(4)).issues[0].since == later(4)


def test_a_lost_bus_is_an_issue_and_its_return_gives_everybody_time_to_be_heard() -> None:
    tracker = tracking()
    tracker.update_status("shop", said(), NOW, live=True)
    tracker.update_worker(beat(), NOW)
    tracker.bus_lost()
    assert [issue.code for issue in tracker.verdict("shop", later(60)).issues if issue.level == "critical"] == [
        "WA-NATS"
    ]
    tracker.bus_back(later(60))
    report = tracker.verdict("shop", later(61))
    assert [issue.code for issue in report.issues if issue.level == "critical"] == []
    assert replace(tracker.observe("shop")).listening_since == later(60)


def test_an_earlier_desired_state_that_comes_back_is_dropped() -> None:
    tracker = tracking()
    newest = msgspec.structs.replace(record(), request=7, desired="running", requested_at=NOW)
    tracker.update_record("shop", newest)
    tracker.update_record(
        "shop", msgspec.structs.replace(newest, request=6, desired="cleared", requested_at=later(-60))
    )
    assert tracker._sessions["shop"].record == newest
