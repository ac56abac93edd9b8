"""The metrics: their names and bounds, and no figure for what is not known."""

from __future__ import annotations

import re

from health_samples import NOW, NUMBER, SESSION, WORKER, observations, record, status
from hypothesis import HealthCheck, given, settings
from prometheus_client.parser import text_string_to_metric_families

from health.domain.measures import MEASURED_SESSIONS, MEASURES, metric_values
from health.domain.observation import Observation
from health.domain.samples import NatsSample
from health.domain.session_tracker import SessionTracker
from health.domain.thresholds import Thresholds
from shared.contracts.events import SessionRestored, StateChanged
from shared.contracts.metrics import Kind
from shared.contracts.telemetry import BackupHeartbeat, WorkerHeartbeat
from shared.runtime import Metrics


def well() -> SessionTracker:
    tracker = SessionTracker(SESSION, Thresholds())
    tracker.bus_back(NOW)
    tracker.update_record(SESSION, record())
    tracker.update_status(SESSION, status(), NOW, live=True)
    tracker.update_worker(
        WorkerHeartbeat(worker=WORKER, at=NOW, sessions=(SESSION,), free_capacity=1, disk_free_bytes=2**33), NOW
    )
    tracker.update_backup_replica(BackupHeartbeat(instance="b", at=NOW, store_ok=True), NOW)
    return tracker


def figures(tracker: SessionTracker) -> dict[tuple[str, ...], float]:
    return {(each.metric.name, *each.labels): each.value for each in metric_values(tracker, NOW)}


def scraped(tracker: SessionTracker) -> str:
    metrics = Metrics()
    metrics.computed(MEASURES, lambda: metric_values(tracker, NOW))
    return metrics.render().decode()


def test_a_healthy_session_shows_all_its_figures() -> None:
    found = figures(well())
    assert found["wa_session_state", SESSION, "connected"] == 1
    assert found["wa_session_state", SESSION, "failed"] == 0
    assert found["wa_session_connected", SESSION] == 1
    assert found["wa_session_epoch", SESSION] == 4
    assert found["wa_session_profile_bytes", SESSION] == 60 * 2**20
    assert found["wa_session_memory_bytes", SESSION] == 270 * 2**20
    assert found["wa_session_start_to_connected_seconds", SESSION] == 0.94
    assert found["wa_snapshot_pause_seconds", SESSION] == 0.0245
    assert found["wa_backup_newest_timestamp_seconds", SESSION] == NOW.timestamp() - 120
    assert found["wa_save_newest_timestamp_seconds", SESSION] == NOW.timestamp() - 60
    assert found["wa_health_overall", SESSION, "healthy"] == 1
    assert found["wa_health_check_level", SESSION, "WA-SIZE"] == 0
    assert (found["wa_worker_up",], found["wa_backup_up",]) == (1, 1)


def test_what_is_not_known_has_no_figure() -> None:
    found = figures(SessionTracker(SESSION, Thresholds()))
    names = {name for name, *_ in found}
    assert found["wa_session_state", SESSION, "unknown"] == 1
    assert found["wa_health_check_level", SESSION, "WA-SIZE"] == -1
    assert not names & {
        "wa_session_profile_bytes", "wa_session_memory_bytes", "wa_backup_newest_timestamp_seconds",
        "wa_save_newest_timestamp_seconds", "wa_session_epoch", "wa_nats_up", "wa_worker_disk_free_bytes",
        "wa_gateway_up", "wa_gateway_answer_seconds",
    }  # fmt: skip


def test_the_session_and_the_verdict_are_one_hot() -> None:
    tracker = well()
    tracker.update_nats(NatsSample(seen_at=NOW))
    for name in ("wa_session_state", "wa_health_overall"):
        assert sum(value for (found, *_), value in figures(tracker).items() if found == name) == 1


def test_at_most_a_hundred_sessions_are_measured() -> None:
    tracker = well()
    for number in range(150):
        tracker.update_record(f"s{number:03}", record())
    found = figures(tracker)
    assert len({labels[0] for name, *labels in found if name == "wa_session_connected"}) == MEASURED_SESSIONS
    assert found["wa_health_sessions",] == 151
    assert found["wa_health_sessions_unmeasured",] == 51
    assert ("wa_session_connected", SESSION) in found


def test_a_session_that_is_gone_has_no_metrics_any_more() -> None:
    tracker = well()
    tracker.update_record("other", record())
    assert ("wa_session_desired_running", "other") in figures(tracker)
    tracker.update_record("other", None)
    assert ("wa_session_desired_running", "other") not in figures(tracker)


def test_labels_from_outside_are_bounded() -> None:
    tracker = well()
    for number in range(500):
        tracker.apply_event(
            StateChanged(session=SESSION, at=NOW, epoch=1, before="", state=f"{NUMBER}{number}", reason=""),
            counted=True,
        )
        tracker.apply_event(
            SessionRestored(session=SESSION, at=NOW, epoch=1, source=f"source{number}", snapshot="s"), counted=True
        )
    tracker.apply_event(SessionRestored(session=SESSION, at=NOW, epoch=1, source="backup", snapshot="s"), counted=True)
    found = figures(tracker)
    assert found["wa_session_transitions_total", "other"] == 500
    assert found["wa_session_restores_total", "other"] == 500
    assert found["wa_session_restores_total", "backup"] == 1
    assert found["wa_session_clears_total",] == 0
    assert NUMBER not in scraped(tracker)


def test_prometheus_can_read_it_and_finds_exactly_the_documented_names() -> None:
    tracker = well()
    tracker.update_nats(NatsSample(seen_at=NOW))
    tracker.apply_event(
        StateChanged(session=SESSION, at=NOW, epoch=4, before="", state="failed", reason=""), counted=True
    )
    families = {family.name: family for family in text_string_to_metric_families(scraped(tracker))}
    assert {name for name in families if not name.startswith("process_")} == {each.family for each in MEASURES}
    for measure in MEASURES:
        for sample in families[measure.family].samples:
            assert set(sample.labels) == set(measure.labels)


def test_names_follow_the_rules() -> None:
    assert len({each.name for each in MEASURES}) == len(MEASURES)
    for each in MEASURES:
        assert re.fullmatch(r"wa_[a-z]+(_[a-z]+)*", each.name)
        assert each.name.endswith("_total") == (each.kind is Kind.COUNTER)
        assert set(each.labels) <= {"session", "state", "code", "overall", "source"}
        assert not re.search(r"_(ms|mb|kb|minutes)$", each.name)


class _Fixed(SessionTracker):
    """Shows one observation, whatever it is."""

    def __init__(self, seen: Observation) -> None:
        super().__init__(SESSION, Thresholds())
        self._seen = seen

    def observe(self, session: str) -> Observation:
        return self._seen


@given(seen=observations)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_every_observation_can_be_measured(seen: Observation) -> None:
    text = scraped(_Fixed(seen))
    assert list(text_string_to_metric_families(text))
    assert NUMBER not in text
