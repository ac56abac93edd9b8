"""What holds for every observation."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType

import msgspec
import pytest
from health_samples import (
    LIMITS,
    MB,
    NOW,
    NUMBER,
    WELL,
    ago,
    in_state,
    observations,
    record,
    verdict,
    with_backups,
    with_browser,
    with_profile,
    with_saves,
    with_status,
)
from hypothesis import assume, given
from hypothesis import strategies as st

from health.domain.case import Case
from health.domain.checks import CHECKS
from health.domain.levels import Level
from health.domain.observation import Observation
from health.domain.samples import DuplicateOwner, GatewaySample, NatsSample
from health.domain.verdict import fingerprint, judge, updated_open_since
from shared.contracts.health import HealthReport, Overall
from shared.contracts.message import decode, encode

RANKS = {Overall.HEALTHY.value: 0, Overall.WARNING.value: 1, Overall.CRITICAL.value: 2}
moments = st.one_of(
    st.integers(-10_000, 10_000_000).map(lambda seconds: NOW + timedelta(seconds=seconds)),
    st.sampled_from([datetime.min.replace(tzinfo=NOW.tzinfo), datetime.max.replace(tzinfo=NOW.tzinfo)]),
)


@given(seen=observations, now=moments)
def test_the_overall_verdict_is_the_worst_level_and_nothing_raises(seen: Observation, now: datetime) -> None:
    report = verdict(seen, now)
    assert RANKS[report.overall] == max(0, *(Level(each.level).rank for each in report.checks))
    assert {issue.code: issue.level for issue in report.issues} == {
        each.code: each.level for each in report.checks if Level(each.level).bad
    }
    assert all(issue.text and issue.text_ar and issue.since <= now for issue in report.issues)
    assert report.at == now


@given(seen=observations)
def test_a_finding_names_a_problem_with_a_text_exactly_where_it_is_bad(seen: Observation) -> None:
    for each in CHECKS:
        finding = each.examine(Case(seen, LIMITS, NOW))
        assert finding.level.bad == (finding.problem is not None)
        assert finding.problem is None or (finding.problem.text.en and finding.problem.text.ar)


@given(seen=observations)
def test_a_report_travels(seen: Observation) -> None:
    report = verdict(seen)
    assert decode(encode(report), HealthReport) == report
    assert len(encode(report)) < 64 * 1024


@given(seen=observations)
def test_no_report_holds_a_phone_number(seen: Observation) -> None:
    assert NUMBER not in encode(verdict(seen)).decode()


@given(seen=observations)
def test_no_text_has_a_placeholder_left(seen: Observation) -> None:
    texts = [text for issue in verdict(seen).issues for text in (issue.text, issue.text_ar)]
    assert not [text for text in texts if re.search(r"\{[a-z]+\}", text)]


Problem = Callable[[Observation], Observation]
PROBLEMS: dict[str, Problem] = {
    "a larger profile": lambda seen: with_profile(seen, bytes=900 * MB, exists=True),
    "missing files": lambda seen: with_profile(seen, missing_files=("x",), exists=True),
    "a damaged profile": lambda seen: with_profile(seen, valid=False, exists=True),
    "more memory": lambda seen: with_browser(seen, memory_bytes=2**70),
    "a page that cannot be read": lambda seen: with_browser(seen, read_ok=False, send_ok=False),
    "an old backup": lambda seen: with_backups(seen, newest_at=ago(10**8), last_error="unavailable"),
    "no backup": lambda seen: with_backups(seen, newest_at=None, count=0),
    "an old save": lambda seen: with_saves(seen, newest_at=ago(10**8)),
    "no save": lambda seen: with_saves(seen, newest_at=None, count=0),
    "a silent page": lambda seen: with_status(seen, probed_at=ago(10**8)),
    "an old status": lambda seen: replace(seen, status_seen_at=ago(10**8)),
    "a ban": lambda seen: with_status(seen, state="needs_attention", reason="banned"),
    "a conflict": lambda seen: with_status(seen, state="conflict", reason="open_elsewhere"),
    "a logout": lambda seen: with_status(seen, state="logged_out", reason="unlinked_by_phone"),
    "a lost connection": lambda seen: with_status(seen, state="reconnecting", reason="offline"),
    "silent workers": lambda seen: replace(
        seen, workers=tuple(replace(each, seen_at=ago(10**8)) for each in seen.workers)
    ),
    "full disks": lambda seen: replace(seen, workers=tuple(replace(each, disk_free_bytes=0) for each in seen.workers)),
    "a store that is down": lambda seen: replace(
        seen,
        backup_replicas=tuple(
            replace(each, store_ok=False, store_down_since=ago(10**8)) for each in seen.backup_replicas
        ),
    ),
    "silent backup services": lambda seen: replace(
        seen, backup_replicas=tuple(replace(each, seen_at=ago(10**8)) for each in seen.backup_replicas)
    ),
    "a second owner": lambda seen: replace(
        seen, duplicate_owners=(*seen.duplicate_owners, DuplicateOwner("other", NOW, True))
    ),
    "a takeover": lambda seen: replace(seen, takeovers=(*seen.takeovers, NOW)),
    "a silent monitor": lambda seen: replace(seen, nats=NatsSample(seen_at=NOW, reachable=False)),
    "a silent gateway": lambda seen: replace(seen, gateway=GatewaySample(NOW, None, ago(10**8))),
    "a lost bus": lambda seen: replace(seen, listening_since=None),
}


@pytest.mark.parametrize("name", sorted(PROBLEMS.keys() - {"a takeover"}))
def test_each_problem_is_noticed_in_a_session_that_was_well(name: str) -> None:
    assert verdict(PROBLEMS[name](WELL)).overall != "healthy"


def test_one_takeover_is_no_problem() -> None:
    assert verdict(PROBLEMS["a takeover"](WELL)).overall == "healthy"


_long_listened = observations.map(lambda seen: replace(seen, listening_since=ago(3600), record=record()))
_live = st.one_of(
    st.just(WELL),
    st.sampled_from(sorted(PROBLEMS)).map(lambda name: PROBLEMS[name](WELL)),
    _long_listened.filter(lambda seen: seen.status is not None and seen.status.state in ("connected", "reconnecting")),
)


@given(seen=_live, name=st.sampled_from(sorted(PROBLEMS)))
def test_adding_a_problem_never_improves_the_verdict(seen: Observation, name: str) -> None:
    if name == "a silent monitor":
        assume(seen.nats is None or seen.nats.reachable)
    if name in ("a lost connection",):
        assume(seen.status is not None and seen.status.state == "connected")
    before, after = verdict(seen), verdict(PROBLEMS[name](seen))
    if name == "a silent monitor":  # what the monitor answered before may no longer hold
        assume(next(each.level for each in before.checks if each.code == "WA-NATS") == "healthy")
    assert RANKS[after.overall] >= RANKS[before.overall]


@given(seen=observations, seconds=st.lists(st.floats(0, 100_000), min_size=2, max_size=2).map(sorted))
def test_waiting_alone_never_improves_the_verdict(seen: Observation, seconds: list[float]) -> None:
    # these are forgotten after a time, on purpose; an answer of the gateway becomes too old to say anything
    seen = replace(seen, takeovers=(), duplicate_owners=(), gateway=None)
    assume(
        sum(worker.holding_since is not None for worker in seen.workers) < 2
    )  # two owners that fall silent are no owners any more
    earlier, later = (verdict(seen, NOW + timedelta(seconds=each)) for each in seconds)
    assert RANKS[later.overall] >= RANKS[earlier.overall]


@given(seen=observations, later=st.floats(0, 1000))
def test_an_issue_keeps_its_beginning(seen: Observation, later: float) -> None:
    first = verdict(seen)
    again = verdict(
        replace(seen, open_since=updated_open_since(seen.open_since, first)), NOW + timedelta(seconds=later)
    )
    began = {issue.code: issue.since for issue in first.issues}
    for issue in again.issues:
        if issue.code in began:
            assert issue.since == began[issue.code]


def test_an_issue_ends_when_it_is_resolved_and_stays_open_while_it_cannot_be_judged() -> None:
    bad = verdict(with_browser(memory_bytes=800 * MB))
    known = updated_open_since(MappingProxyType({}), bad)
    assert known == {"WA-MEMORY": NOW}
    assert updated_open_since(known, verdict(with_browser(memory_bytes=0))) == known
    assert updated_open_since(known, verdict(WELL)) == {}


def test_an_issue_begins_when_the_trouble_began_and_not_when_it_was_seen() -> None:
    issue = verdict(in_state("conflict", for_seconds=77)).issues[0]
    assert issue.since == ago(77)


def test_issues_come_worst_first() -> None:
    levels = [issue.level for issue in verdict(with_browser(in_state("failed"), memory_bytes=800 * MB)).issues]
    assert levels == sorted(levels)
    assert len(levels) > 1


def test_the_limits_come_from_the_settings() -> None:
    strict = replace(LIMITS, max_session_size_mb=10)
    assert judge(WELL, strict, NOW).overall == "critical"


@given(seen=observations)
def test_growing_older_by_a_second_is_no_news_while_levels_stay(seen: Observation) -> None:
    before, after = verdict(seen), verdict(seen, NOW + timedelta(seconds=1))
    levels = [[(each.code, each.level) for each in report.checks] for report in (before, after)]
    assume(levels[0] == levels[1])
    assume([each.id for each in before.recommendations] == [each.id for each in after.recommendations])
    assert fingerprint(before) == fingerprint(after)


def test_a_new_state_is_news_even_at_the_same_level() -> None:
    assert fingerprint(verdict(in_state("starting"))) != fingerprint(verdict(in_state("syncing")))


def test_an_observation_is_not_changed_by_judging_it() -> None:
    before = msgspec.json.encode(WELL.status), WELL
    verdict(WELL)
    assert (msgspec.json.encode(WELL.status), WELL) == before
