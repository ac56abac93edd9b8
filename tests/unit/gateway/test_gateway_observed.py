"""The observations: which status is believed, and when it no longer is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from gateway_stage import NOON, SESSION, report, status

from gateway.domain.observed import (
    DELETED_STATUS_SECONDS,
    NEWEST_EPOCH_SILENCE_SECONDS,
    REPORT_SECONDS,
    WORKER_SILENCE_SECONDS,
    Observations,
)
from shared.contracts.sessions import SessionRecord, State
from shared.contracts.telemetry import WorkerHeartbeat


def beat(worker: str = "worker-1", sessions: tuple[str, ...] = (SESSION,)) -> WorkerHeartbeat:
    return WorkerHeartbeat(worker=worker, at=NOON, sessions=sessions)


@pytest.fixture
def view() -> Observations:
    return Observations()


def test_a_session_nobody_reported_is_stopped_and_unknown(view: Observations) -> None:
    observed = view.session(SESSION, 0.0)
    assert (observed.state, observed.known, observed.connected, observed.workers) == (State.STOPPED, False, False, 0)


def test_a_status_of_an_older_epoch_is_dropped(view: Observations) -> None:
    view.put_heartbeat(beat(), 0.0)
    view.put_status(SESSION, status(epoch=7), 0.0)
    assert not view.put_status(SESSION, status(epoch=6, worker="worker-2", state="pairing"), 1.0)
    assert view.session(SESSION, 1.0).state is State.CONNECTED


def test_a_status_of_the_same_or_a_newer_epoch_is_taken(view: Observations) -> None:
    view.put_status(SESSION, status(epoch=7), 0.0)
    assert view.put_status(SESSION, status(epoch=7, state="reconnecting"), 1.0)
    assert view.put_status(SESSION, status(epoch=8, worker="worker-2", state="starting"), 1.0)
    assert view.session(SESSION, 1.0).state is State.STARTING


def test_an_older_epoch_stays_dropped_while_the_newer_owner_was_heard_lately(view: Observations) -> None:
    view.put_heartbeat(beat(), 0.0)
    view.put_status(SESSION, status(epoch=7), 0.0)
    view.put_heartbeat(beat("worker-2"), NEWEST_EPOCH_SILENCE_SECONDS - 1)
    late = status(epoch=6, worker="worker-2")
    assert not view.put_status(SESSION, late, NEWEST_EPOCH_SILENCE_SECONDS - 1)


def test_an_older_epoch_is_believed_when_its_worker_lives_and_the_newer_owner_has_long_been_silent(
    view: Observations,
) -> None:
    view.put_heartbeat(beat(), 0.0)
    view.put_status(SESSION, status(epoch=7), 0.0)
    at = NEWEST_EPOCH_SILENCE_SECONDS + 1
    assert not view.put_status(SESSION, status(epoch=1, worker="worker-2"), at), "worker-2 was never heard"
    view.put_heartbeat(beat("worker-2"), at)
    assert view.put_status(SESSION, status(epoch=1, worker="worker-2", state="starting"), at)


def test_a_worker_may_begin_its_epochs_anew_but_not_go_back_in_time(view: Observations) -> None:
    view.put_status(SESSION, status(epoch=7), 0.0)
    assert not view.put_status(SESSION, status(epoch=1, updated_at=NOON - timedelta(seconds=1)), 1.0)
    assert view.put_status(SESSION, status(epoch=1, updated_at=NOON + timedelta(seconds=1)), 1.0)


def test_the_epoch_guard_outlives_the_deletion_of_the_status(view: Observations) -> None:
    view.put_heartbeat(beat(), 0.0)
    view.put_status(SESSION, status(epoch=7), 0.0)
    view.put_status(SESSION, None, 1.0)
    assert not view.put_status(SESSION, status(epoch=6, worker="worker-2"), 2.0)


def test_a_vanished_status_is_shown_until_its_worker_had_time_to_write_it_again(view: Observations) -> None:
    view.put_status(SESSION, status(), 0.0)
    assert view.put_status(SESSION, None, 10.0)
    assert view.session(SESSION, 10.0 + DELETED_STATUS_SECONDS - 1).status is not None
    assert view.session(SESSION, 10.0 + DELETED_STATUS_SECONDS + 1).status is None
    assert view.put_status(SESSION, status(), 30.0)
    assert view.session(SESSION, 60.0).status is not None


def test_a_worker_counts_as_gone_after_six_silent_seconds(view: Observations) -> None:
    view.put_status(SESSION, status(), 0.0)
    view.put_heartbeat(beat(), 100.0)
    assert view.session(SESSION, 100.0 + WORKER_SILENCE_SECONDS - 0.1).connected
    gone = view.session(SESSION, 100.0 + WORKER_SILENCE_SECONDS)
    assert (gone.owner, gone.workers, gone.connected, gone.state) == (None, 0, False, State.CONNECTED)


def test_a_killed_workers_last_status_ends_with_the_first_claim_of_its_successor(view: Observations) -> None:
    view.put_status(SESSION, status(), 0.0)
    view.put_heartbeat(beat(), 0.0)
    assert view.session(SESSION, 2.0).connected
    view.put_heartbeat(beat("worker-2"), 2.0)
    observed = view.session(SESSION, 2.0)
    assert observed.owner == beat("worker-2")
    assert not observed.connected
    view.put_status(SESSION, status(epoch=8, worker="worker-2"), 3.0)
    assert view.session(SESSION, 3.0).connected


def test_a_worker_that_lost_the_session_and_lives_on_is_no_owner_beside_the_new_one(view: Observations) -> None:
    view.put_status(SESSION, status(), 0.0)
    view.put_heartbeat(beat("worker-2"), 1.0)
    view.put_heartbeat(beat(sessions=()), 2.0)
    assert view.session(SESSION, 2.0).owner == beat("worker-2")


def test_another_living_worker_is_no_owner(view: Observations) -> None:
    view.put_status(SESSION, status(), 0.0)
    view.put_heartbeat(beat("worker-2", sessions=()), 0.0)
    observed = view.session(SESSION, 0.0)
    assert observed.owner is None
    assert observed.workers == 1


def test_a_verdict_is_forgotten_when_the_health_service_falls_silent(view: Observations) -> None:
    view.put_report(report(), 0.0)
    assert view.session(SESSION, REPORT_SECONDS).report is not None
    assert view.session(SESSION, REPORT_SECONDS + 1).report is None


def test_readers_notice_news_only(view: Observations) -> None:
    assert view.put_status(SESSION, status(), 0.0)
    assert not view.put_status(SESSION, status(), 1.0)
    assert view.put_heartbeat(beat(), 0.0)
    assert not view.put_heartbeat(beat(), 2.0)
    assert view.put_heartbeat(beat(), 20.0), "it had been gone"
    record = SessionRecord(session=SESSION, desired="running", requested_at=NOON)
    assert view.put_record(SESSION, record)
    assert not view.put_record(SESSION, record)
    assert view.put_record(SESSION, None)
    assert not view.put_record(SESSION, None)


def test_a_state_from_the_future_is_unknown_and_not_a_crash(view: Observations) -> None:
    view.put_status(SESSION, status(state="dreaming"), 0.0)
    assert view.session(SESSION, 0.0).state is State.UNKNOWN


def test_an_earlier_status_of_the_same_worker_that_comes_back_is_dropped(view: Observations) -> None:
    view.put_status(SESSION, status(epoch=7, sequence=5), 0.0)
    replayed = status(epoch=7, sequence=4, updated_at=NOON - timedelta(seconds=1), state="pairing")
    assert not view.put_status(SESSION, replayed, 1.0)
    assert view.session(SESSION, 1.0).state is State.CONNECTED
    clock_went_back = status(epoch=7, sequence=6, updated_at=NOON - timedelta(hours=1), state="reconnecting")
    assert view.put_status(SESSION, clock_went_back, 2.0)


def test_an_earlier_desired_state_that_comes_back_is_dropped_but_numbers_may_begin_anew(view: Observations) -> None:
    def wanted(desired: str, request: int, seconds: float) -> SessionRecord:
        at = NOON + timedelta(seconds=seconds)
        return SessionRecord(session=SESSION, desired=desired, requested_at=at, request=request)

    view.put_record(SESSION, wanted("running", 7, 0.0))
    assert not view.put_record(SESSION, wanted("cleared", 6, -60.0))
    held = view.session(SESSION, 0.0).record
    assert held is not None
    assert held.desired == "running"
    assert view.put_record(SESSION, wanted("stopped", 1, 60.0)), "NATS and the gateway have lost their data"
    assert view.put_record(SESSION, wanted("running", 2, 30.0)), "the gateway's clock went back"
