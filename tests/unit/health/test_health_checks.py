"""Every check, well and not well. The examples are a table, and a test fails when a check has none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import ModuleType

import pytest
from health_samples import (
    CHECK_MODULES,
    MB,
    NOW,
    WELL,
    WORKER,
    ago,
    backup_replica,
    check,
    in_state,
    problem,
    problems,
    record,
    verdict,
    with_backups,
    with_browser,
    with_profile,
    with_saves,
    with_status,
    worker,
)

from health.domain.case import read_desired
from health.domain.causes import Cause
from health.domain.checks import CHECKS, RULES
from health.domain.checks.connection import CAUSES
from health.domain.observation import Observation
from health.domain.samples import DuplicateOwner, GatewaySample, LostBackups, NatsSample, RejectedRecord
from shared.contracts.sessions import DesiredState, State

FRESH = replace(WELL, listening_since=ago(1))
"""The service has just begun to listen."""
BUS_LOST = replace(WELL, listening_since=None)


@dataclass(frozen=True)
class Example:
    name: str
    code: str
    level: str
    seen: Observation
    problem: str = ""


def _connection() -> list[Example]:
    def example(name: str, level: str, seen: Observation, problem: str) -> Example:
        return Example(name, "WA-CONNECTION", level, seen, problem)

    unstarted = replace(WELL, status=None, record=None)
    claimed_by_nobody = replace(WELL, status=None, record=record(asked=5))
    return [
        example("pairing", "warning", in_state("pairing", "scan_the_qr", 9000), "pairing"),
        example("starting", "warning", in_state("starting"), "starting"),
        example("starting for long", "critical", in_state("starting", for_seconds=181), "starting_long"),
        example("syncing", "warning", in_state("syncing"), "syncing"),
        example("restoring", "warning", in_state("restoring", "profile_damaged"), "restoring"),
        example("restoring for long", "critical", in_state("restoring", for_seconds=601), "restoring_long"),
        example(
            "waiting for S3 for long",
            "critical",
            in_state("restoring", "store_unreachable", 601),
            "waiting_for_store_long",
        ),
        example("syncing for long", "critical", in_state("syncing", for_seconds=181), "syncing_long"),
        example("waiting for S3", "warning", in_state("restoring", "store_unreachable"), "waiting_for_store"),
        example("page elsewhere", "warning", in_state("reconnecting", "page_elsewhere"), "elsewhere"),
        example(
            "page elsewhere for long", "critical", in_state("reconnecting", "page_elsewhere", 121), "elsewhere_long"
        ),
        example("reconnecting", "warning", in_state("reconnecting", "offline"), "reconnecting"),
        example("reconnecting for long", "critical", in_state("reconnecting", "offline", 121), "reconnecting_long"),
        example("conflict", "critical", in_state("conflict", "open_elsewhere"), "conflict"),
        example("unlinked", "critical", in_state("logged_out", "unlinked_by_phone"), "logged_out"),
        example("gave up", "critical", in_state("needs_attention", "cannot_reconnect"), "needs_attention"),
        example("failed", "critical", in_state("failed"), "failed"),
        example("banned", "critical", in_state("needs_attention", "banned"), "banned"),
        example("terms", "critical", in_state("needs_attention", "terms_not_accepted"), "terms"),
        example("network", "critical", in_state("needs_attention", "network_refused"), "network"),
        example("outdated page", "critical", in_state("needs_attention", "page_outdated"), "page_outdated"),
        example("outdated browser", "critical", in_state("needs_attention", "browser_too_old"), "browser_outdated"),
        example("clear unknown", "critical", in_state("needs_attention", "tombstone_unverified"), "clear_unknown"),
        example("profile in use", "critical", in_state("failed", "profile_in_use"), "profile_in_use"),
        example("dialog", "critical", in_state("needs_attention", "unknown_dialog"), "dialog"),
        example("a state of the future", "warning", in_state("levitating"), "unknown_state"),
        example("should run and is stopped", "warning", in_state("stopped", "lease_lost"), "should_run"),
        example(
            "should run and is stopped for long", "critical", in_state("stopped", for_seconds=61), "should_run_long"
        ),
        example("not taken yet", "warning", claimed_by_nobody, "unclaimed"),
        example("never taken", "critical", replace(WELL, status=None, record=record(asked=61)), "unclaimed"),
        example("never started", "warning", unstarted, "never_started"),
        example("cleared", "warning", replace(WELL, status=None, record=record("cleared")), "cleared"),
        example("stopped", "warning", replace(in_state("stopped"), record=record("stopped")), "stopped"),
        example("stopping", "warning", replace(WELL, record=record("stopped")), "stopping"),
        example("not heard yet", "warning", replace(unstarted, listening_since=ago(1)), "not_heard_yet"),
        example(
            "should run, not heard yet", "warning", replace(claimed_by_nobody, listening_since=ago(1)), "not_heard_yet"
        ),
        example("owner not heard yet", "warning", replace(FRESH, workers=()), "not_heard_yet"),
        example("owner silent", "unknown", replace(WELL, workers=(worker(worker="other"),)), ""),
        example("bus lost", "unknown", BUS_LOST, ""),
    ]


def _page() -> list[Example]:
    silent = [
        Example("silent page", "WA-PROBE", "warning", with_status(probed_at=ago(61)), "silent_page"),
        Example("dead page", "WA-PROBE", "critical", with_status(probed_at=ago(91)), "silent_page"),
        Example("never answered", "WA-PROBE", "critical", with_status(probed_at=None), "silent_page"),
        Example("not asked yet", "WA-PROBE", "unknown", with_status(probed_at=None, since=ago(9))),
        Example("no page", "WA-PROBE", "unknown", in_state("restoring")),
    ]
    stale = [
        Example("old status", "WA-STALE", "warning", replace(WELL, status_seen_at=ago(61)), "stale_status"),
        Example("dead status", "WA-STALE", "critical", replace(WELL, status_seen_at=ago(181)), "stale_status"),
        Example("old, but the bus was lost", "WA-STALE", "healthy", replace(FRESH, status_seen_at=ago(500))),
        Example("bus lost", "WA-STALE", "unknown", BUS_LOST),
        Example("stopped", "WA-STALE", "unknown", replace(WELL, status_seen_at=ago(999), record=record("stopped"))),
    ]
    attempts = [
        Example("many", "WA-RECONNECTS", "warning", in_state("reconnecting", seen=with_status(reconnect_attempts=3))),
        Example("all", "WA-RECONNECTS", "critical", in_state("reconnecting", seen=with_status(reconnect_attempts=5))),
        Example("all, but back", "WA-RECONNECTS", "warning", with_status(reconnect_attempts=5)),
        Example("few", "WA-RECONNECTS", "healthy", with_status(reconnect_attempts=2)),
    ]
    return (
        silent
        + stale
        + [replace(each, problem="many_attempts" if each.level != "healthy" else "") for each in attempts]
    )


def _profile() -> list[Example]:
    return [
        Example("at the limit", "WA-SIZE", "healthy", with_profile(bytes=150 * MB)),
        Example("large", "WA-SIZE", "warning", with_profile(bytes=150 * MB + 1), "large_profile"),
        Example("twice as large", "WA-SIZE", "critical", with_profile(bytes=300 * MB + 1), "large_profile"),
        Example("no profile", "WA-SIZE", "unknown", with_profile(exists=False)),
        Example("missing", "WA-FILES", "critical", with_profile(missing_files=("Local Storage",)), "missing_files"),
        Example("gone", "WA-FILES", "critical", with_profile(exists=False), "missing_profile"),
        Example(
            "missing before the link",
            "WA-FILES",
            "unknown",
            with_status(
                with_profile(missing_files=("Local Storage",), validated_at=ago(30)), since=ago(5), state="connected"
            ),
        ),
        Example("on the QR page", "WA-FILES", "unknown", in_state("pairing", seen=with_profile(missing_files=("x",)))),
        Example("damaged", "WA-PROFILE", "critical", with_profile(valid=False), "damaged_profile"),
        Example("on the QR page", "WA-PROFILE", "unknown", in_state("pairing", seen=with_profile(valid=False))),
        Example("overdue", "WA-PROFILE", "warning", with_profile(validated_at=ago(181)), "not_validated"),
        Example("never validated", "WA-PROFILE", "warning", with_profile(validated_at=None), "not_validated"),
        Example(
            "damaged at rest",
            "WA-PROFILE",
            "warning",
            replace(in_state("stopped", for_seconds=40, seen=with_profile(valid=False)), record=record("stopped")),
            "damaged_profile",
        ),
    ]


def _rejected(record: str, fault: str, seen: Observation = WELL) -> Observation:
    earlier = len(seen.rejected_records)
    return replace(seen, rejected_records=(*seen.rejected_records, RejectedRecord(record, fault, ago(60 + earlier))))


def _copies() -> list[Example]:
    return [
        Example("none", "WA-BACKUP", "warning", with_status(with_backups(newest_at=None), since=ago(9)), "no_backup"),
        Example("none for long", "WA-BACKUP", "critical", with_backups(newest_at=None), "no_backup"),
        Example("old", "WA-BACKUP", "warning", with_backups(newest_at=ago(901)), "old_backup"),
        Example("very old", "WA-BACKUP", "critical", with_backups(newest_at=ago(3601)), "old_backup"),
        Example(
            "very old, just back",
            "WA-BACKUP",
            "warning",
            with_status(with_backups(newest_at=ago(99999)), since=ago(9)),
            "old_backup",
        ),
        Example(
            "old, unchanged since", "WA-BACKUP", "healthy", with_backups(newest_at=ago(9999), last_attempt_at=ago(60))
        ),
        Example(
            "old, attempts fail",
            "WA-BACKUP",
            "critical",
            with_backups(newest_at=ago(9999), last_attempt_at=ago(60), last_error="unavailable"),
            "old_backup",
        ),
        Example("not known", "WA-BACKUP", "unknown", with_backups(known=False, newest_at=None, count=0)),
        Example("while pairing", "WA-BACKUP", "unknown", in_state("pairing", seen=with_backups(newest_at=None))),
        Example("fresh, but seen long ago", "WA-BACKUP", "unknown", with_backups(seen_at=ago(901))),
        Example(
            "none when it was seen long ago", "WA-BACKUP", "unknown", with_backups(newest_at=None, seen_at=ago(901))
        ),
        Example(
            "old, and not known any more",
            "WA-BACKUP",
            "critical",
            with_backups(newest_at=ago(3601), seen_at=ago(3601), known=False),
            "old_backup",
        ),
        Example("succeeded", "WA-ATTEMPT", "healthy", with_backups(last_attempt_at=ago(9))),
        Example(
            "timed out",
            "WA-ATTEMPT",
            "warning",
            with_backups(last_attempt_at=ago(9), last_error="timed_out"),
            "failed_attempt",
        ),
        Example(
            "fenced",
            "WA-ATTEMPT",
            "warning",
            with_backups(last_attempt_at=ago(9), last_error="fenced"),
            "failed_attempt",
        ),
        Example(
            "while pairing", "WA-ATTEMPT", "unknown", in_state("pairing", seen=with_backups(last_error="not_connected"))
        ),
        Example("nothing lost", "WA-LOSS", "healthy", WELL),
        Example(
            "all lost", "WA-LOSS", "critical", replace(WELL, lost_backups=LostBackups(9, 0, ago(60))), "lost_backups"
        ),
        Example("lost long ago", "WA-LOSS", "healthy", replace(WELL, lost_backups=LostBackups(9, 0, ago(3601)))),
        Example("nobody looked", "WA-LOSS", "unknown", with_backups(seen_at=ago(901))),
        Example("none rejected", "WA-RECORDS", "healthy", WELL),
        Example("nobody looked", "WA-RECORDS", "unknown", with_backups(seen_at=None, known=False)),
        Example("head", "WA-RECORDS", "warning", _rejected("head", "swapped"), "rejected_head"),
        Example(
            "tombstone before a newer head",
            "WA-RECORDS",
            "critical",
            _rejected("tombstone", "unverified", _rejected("head", "foreign")),
            "rejected_tombstone",
        ),
        Example("none", "WA-SAVE", "warning", with_status(with_saves(newest_at=None), since=ago(121)), "no_save"),
        Example("none yet", "WA-SAVE", "unknown", with_status(with_saves(newest_at=None), since=ago(60))),
        Example("none for long", "WA-SAVE", "critical", with_saves(newest_at=None), "no_save"),
        Example("old", "WA-SAVE", "warning", with_saves(newest_at=ago(361)), "old_save"),
        Example("very old", "WA-SAVE", "critical", with_saves(newest_at=ago(1801)), "old_save"),
    ]


def _browser() -> list[Example]:
    unchecked = {"read_ok": False, "send_ok": False, "page_version": "", "wa_js_version": ""}
    return [
        Example("much", "WA-MEMORY", "warning", with_browser(memory_bytes=701 * MB), "much_memory"),
        Example("too much", "WA-MEMORY", "critical", with_browser(memory_bytes=1201 * MB), "much_memory"),
        Example("not measured", "WA-MEMORY", "unknown", with_browser(memory_bytes=0)),
        Example("cannot read", "WA-SELFCHECK", "critical", with_browser(read_ok=False), "cannot_read"),
        Example("cannot send", "WA-SELFCHECK", "warning", with_browser(send_ok=False), "cannot_send"),
        Example("not checked yet", "WA-SELFCHECK", "unknown", with_status(with_browser(**unchecked), since=ago(5))),
        Example("never checked", "WA-SELFCHECK", "critical", with_browser(**unchecked), "cannot_read"),
    ]


def _worker() -> list[Example]:
    silent = worker(seen_at=ago(7))
    busy = (worker(free_capacity=0),)
    return [
        Example("none", "WA-WORKER", "critical", replace(WELL, workers=()), "no_worker"),
        Example("all silent", "WA-WORKER", "critical", replace(WELL, workers=(silent,)), "no_worker"),
        Example("not heard yet", "WA-WORKER", "unknown", replace(FRESH, workers=())),
        Example("silent since the last time", "WA-WORKER", "unknown", replace(FRESH, workers=(silent,))),
        Example(
            "none, none needed",
            "WA-WORKER",
            "warning",
            replace(WELL, workers=(), record=record("stopped")),
            "no_worker",
        ),
        Example(
            "owner silent", "WA-WORKER", "warning", replace(WELL, workers=(silent, worker(worker="b"))), "silent_owner"
        ),
        Example(
            "owner silent for long",
            "WA-WORKER",
            "critical",
            replace(WELL, workers=(worker(seen_at=ago(21)), worker(worker="b"))),
            "silent_owner",
        ),
        Example(
            "owner never heard", "WA-WORKER", "critical", replace(WELL, workers=(worker(worker="b"),)), "silent_owner"
        ),
        Example("no capacity", "WA-WORKER", "warning", replace(WELL, status=None, workers=busy), "no_capacity"),
        Example("bus lost", "WA-WORKER", "unknown", BUS_LOST),
    ]


def _backup_service() -> list[Example]:
    replica_without_store = backup_replica(store_ok=False, store_down_since=ago(60))
    return [
        Example("no service", "WA-STORE", "critical", replace(WELL, backup_replicas=()), "no_backup_service"),
        Example(
            "service silent",
            "WA-STORE",
            "warning",
            replace(WELL, backup_replicas=(backup_replica(seen_at=ago(16)),)),
            "no_backup_service",
        ),
        Example("not heard yet", "WA-STORE", "unknown", replace(FRESH, backup_replicas=())),
        Example(
            "store down", "WA-STORE", "warning", replace(WELL, backup_replicas=(replica_without_store,)), "store_down"
        ),
        Example(
            "store down for long",
            "WA-STORE",
            "critical",
            replace(WELL, backup_replicas=(backup_replica(store_ok=False, store_down_since=ago(601)),)),
            "store_down",
        ),
        Example(
            "a restore waits",
            "WA-STORE",
            "critical",
            replace(in_state("restoring"), backup_replicas=(replica_without_store,)),
            "store_down",
        ),
        Example(
            "one of two",
            "WA-STORE",
            "healthy",
            replace(WELL, backup_replicas=(replica_without_store, backup_replica(instance="2"))),
        ),
        Example("bus lost", "WA-STORE", "unknown", BUS_LOST),
    ]


def _owners() -> list[Example]:
    return [
        Example(
            "same epoch twice",
            "WA-OWNERS",
            "critical",
            replace(WELL, duplicate_owners=(DuplicateOwner("b", ago(9), True),)),
            "two_owners",
        ),
        Example(
            "late owner",
            "WA-OWNERS",
            "warning",
            replace(WELL, duplicate_owners=(DuplicateOwner("b", ago(9), False),)),
            "late_owner",
        ),
        Example(
            "long ago", "WA-OWNERS", "healthy", replace(WELL, duplicate_owners=(DuplicateOwner("b", ago(601), True),))
        ),
        Example(
            "held twice",
            "WA-OWNERS",
            "critical",
            replace(WELL, workers=(worker(), worker(worker="b", holding_since=ago(7)))),
            "two_owners",
        ),
        Example(
            "handed over",
            "WA-OWNERS",
            "healthy",
            replace(WELL, workers=(worker(), worker(worker="b", holding_since=NOW))),
        ),
        Example("flapping", "WA-OWNERS", "warning", replace(WELL, takeovers=(ago(9),) * 4), "many_takeovers"),
        Example("flapping wildly", "WA-OWNERS", "critical", replace(WELL, takeovers=(ago(9),) * 7), "many_takeovers"),
        Example("three redeploys", "WA-OWNERS", "healthy", replace(WELL, takeovers=(ago(9),) * 3)),
        Example("nobody yet", "WA-OWNERS", "unknown", replace(WELL, status=None, workers=())),
        Example(
            "two owners at rest",
            "WA-OWNERS",
            "critical",
            replace(WELL, record=record("stopped"), duplicate_owners=(DuplicateOwner("b", ago(9), True),)),
            "two_owners",
        ),
    ]


def _disk() -> list[Example]:
    return [
        Example(
            "little", "WA-DISK", "warning", replace(WELL, workers=(worker(disk_free_bytes=1023 * MB),)), "little_disk"
        ),
        Example("full", "WA-DISK", "critical", replace(WELL, workers=(worker(disk_free_bytes=0),)), "little_disk"),
        Example(
            "full elsewhere",
            "WA-DISK",
            "healthy",
            replace(WELL, workers=(worker(), worker(worker="b", disk_free_bytes=0, holding_since=None))),
        ),
        Example("nobody reported", "WA-DISK", "unknown", replace(WELL, workers=())),
    ]


def _nats() -> list[Example]:
    full = NatsSample(seen_at=NOW, storage_bytes=90, storage_limit_bytes=100)
    return [
        Example("lost", "WA-NATS", "critical", BUS_LOST, "bus_lost"),
        Example("no monitor", "WA-NATS", "healthy", replace(WELL, nats=None)),
        Example(
            "silent",
            "WA-NATS",
            "warning",
            replace(WELL, nats=NatsSample(seen_at=NOW, reachable=False)),
            "monitor_silent",
        ),
        Example(
            "plain", "WA-NATS", "critical", replace(WELL, nats=NatsSample(seen_at=NOW, jetstream=False)), "no_jetstream"
        ),
        Example("filling", "WA-NATS", "warning", replace(WELL, nats=full), "jetstream_full"),
        Example("full", "WA-NATS", "critical", replace(WELL, nats=replace(full, storage_bytes=99)), "jetstream_full"),
        Example(
            "slow",
            "WA-NATS",
            "warning",
            replace(WELL, nats=NatsSample(seen_at=NOW, new_slow_consumers=2)),
            "slow_consumers",
        ),
    ]


def _gateway() -> list[Example]:
    def answered(seconds: float | None, late: float | None = None, age: float = 1) -> Observation:
        late_since = None if late is None else ago(late)
        return replace(WELL, gateway=GatewaySample(ago(age), seconds, late_since))

    return [
        Example("never asked", "WA-GATEWAY", "unknown", replace(WELL, gateway=None)),
        Example("an old answer", "WA-GATEWAY", "unknown", answered(0.01, age=21)),
        Example("an old silence", "WA-GATEWAY", "unknown", answered(None, late=600, age=21)),
        Example("late once", "WA-GATEWAY", "unknown", answered(1.4, late=2)),
        Example("late for long", "WA-GATEWAY", "warning", answered(1.4, late=3600), "slow_gateway"),
        Example("silent", "WA-GATEWAY", "warning", answered(None, late=15), "silent_gateway"),
        Example("silent for long", "WA-GATEWAY", "critical", answered(None, late=31), "silent_gateway"),
        Example(
            "silent while stopped",
            "WA-GATEWAY",
            "critical",
            replace(answered(None, late=31), record=record("stopped")),
            "silent_gateway",
        ),
    ]


EXAMPLES = [
    *_connection(),
    *_page(),
    *_profile(),
    *_copies(),
    *_browser(),
    *_worker(),
    *_backup_service(),
    *_owners(),
    *_disk(),
    *_nats(),
    *_gateway(),
]


@pytest.mark.parametrize("code", [each.code for each in CHECKS])
def test_each_check_is_healthy_when_all_is_well(code: str) -> None:
    assert check(WELL, code).level == "healthy"


def test_nothing_is_said_when_all_is_well() -> None:
    report = verdict(WELL)
    assert (report.overall, report.issues, report.recommendations) == ("healthy", (), ())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: f"{each.code}: {each.name}")
def test_each_example_gets_its_level(example: Example) -> None:
    assert (check(example.seen, example.code).level, problem(example.seen, example.code)) == (
        example.level,
        example.problem,
    )


@pytest.mark.parametrize("code", [each.code for each in CHECKS])
def test_each_check_has_an_example_that_is_bad_and_one_that_is_not_judged_or_well(code: str) -> None:
    levels = {each.level for each in EXAMPLES if each.code == code}
    assert levels & {"warning", "critical"}
    assert levels & {"healthy", "unknown"}


def test_each_problem_is_found_by_an_example_and_by_one_check_alone() -> None:
    """A rule may wait for any of these problems, so each of them must be one that a check finds."""
    found = {(each.problem, each.code) for each in EXAMPLES if each.problem}
    assert {name for name, _ in found} == {each.id for each in problems()}
    assert len(found) == len(problems())


def test_each_check_and_rule_of_a_module_is_in_the_tables() -> None:
    checks = [each.code for module in CHECK_MODULES for each in module.CHECKS]
    rules = [each.id for module in CHECK_MODULES for each in module.RULES]
    assert sorted(checks) == sorted(each.code for each in CHECKS)
    assert sorted(rules) == sorted(each.id for each in RULES)


@pytest.mark.parametrize("module", CHECK_MODULES, ids=lambda each: each.__name__)
def test_a_module_has_a_check_for_each_of_its_codes_and_holds_the_rules_about_them(module: ModuleType) -> None:
    codes = [value for value in vars(module).values() if isinstance(value, str) and value.startswith("WA-")]
    assert codes == [each.code for each in module.CHECKS]
    assert {each.codes[0] for each in module.RULES} <= set(codes)
    assert {code for each in module.RULES for code in each.codes} <= {each.code for each in CHECKS}


def test_each_cause_has_a_problem_and_a_text() -> None:
    assert set(CAUSES) == set(Cause)


@pytest.mark.parametrize("desired", ["", "paused", "RUNNING", "running"])
def test_a_desired_state_of_a_later_version_is_judged_as_running(desired: str) -> None:
    assert read_desired(desired) is DesiredState.RUNNING
    assert check(replace(in_state("failed"), record=record(desired)), "WA-CONNECTION").level == "critical"


def test_each_state_has_an_answer() -> None:
    assert {check(in_state(state.value), "WA-CONNECTION").level for state in State} == {
        "healthy", "warning", "critical",
    }  # fmt: skip


@pytest.mark.parametrize("desired", ["stopped", "cleared"])
@pytest.mark.parametrize("state", [state.value for state in State])
def test_a_session_that_is_not_meant_to_run_is_never_critical(desired: str, state: str) -> None:
    seen = replace(
        in_state(state, for_seconds=99999),
        record=record(desired),
        workers=(),
        backup_replicas=(),
        status_seen_at=ago(9),
    )
    assert verdict(seen).overall == "warning"


def test_a_session_that_was_never_started_is_no_emergency() -> None:
    assert verdict(replace(WELL, status=None, record=None, workers=(worker(holding_since=None),))).overall == "warning"


def test_the_first_seconds_raise_no_critical_alarm() -> None:
    nothing = Observation(session="shop", listening_since=ago(9.9))
    assert verdict(nothing).overall == "warning"
    assert [issue.code for issue in verdict(nothing).issues] == ["WA-CONNECTION"]
    assert "heard" in verdict(nothing).issues[0].text
    should_run = replace(nothing, record=record(asked=9999))
    assert verdict(should_run).overall == "warning"


def test_a_status_from_before_the_restart_is_not_believed_without_its_worker() -> None:
    old = replace(FRESH, workers=(), backup_replicas=())
    assert verdict(old).overall == "warning"
    later = replace(old, listening_since=ago(31))
    assert verdict(later).overall == "critical"


def test_a_bus_that_lost_the_record_does_not_stop_the_alarms_of_a_running_session() -> None:
    assert check(replace(WELL, record=None), "WA-CONNECTION").level == "healthy"
    assert check(replace(in_state("failed"), record=None), "WA-CONNECTION").level == "critical"


def test_clocks_that_differ_make_no_alarm() -> None:
    ahead = ago(-300)
    seen = with_status(
        with_saves(with_backups(newest_at=ahead), newest_at=ahead), since=ahead, probed_at=ahead, updated_at=ahead
    )
    assert verdict(seen).overall == "healthy"


def test_the_worker_of_the_samples_owns_the_session() -> None:
    assert WELL.status is not None
    assert WELL.status.worker == WORKER
