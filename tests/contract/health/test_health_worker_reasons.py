"""The contract between the browser worker and health: what the real worker says makes each recommendation appear.

Nothing here writes a state or a reason by hand where the worker can produce it. The worker's own `interpret` reads what
the page says, the worker's own `advance` turns it into a state and a reason, and health judges these.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from health_samples import (
    WELL,
    ago,
    in_state,
    problem,
    recommended,
    verdict,
    with_backups,
    with_browser,
    with_profile,
    with_saves,
    with_status,
    worker,
)

import browser_worker.runner
from browser_worker.domain.events import PAGE_EVENTS, Event
from browser_worker.domain.machine import advance
from browser_worker.domain.page_state import interpret
from browser_worker.domain.reading import PageState, RawReading
from browser_worker.domain.session import Session
from gateway.handlers.legacy.actions import Action as GatewayAction
from health.domain.causes import Cause, cause_of
from health.domain.checks import RULES, connection, copies
from health.domain.observation import Observation
from health.domain.recommendations import Action
from health.domain.samples import BackupReplicaSample, DuplicateOwner, GatewaySample, LostBackups, RejectedRecord
from shared.contracts.message import encode
from shared.contracts.sessions import Reason, State

Step = Event | RawReading


def page(socket: str = "", mode: str = "", **rest: object) -> RawReading:
    return RawReading(tier="wa-js", socket=socket, stream_mode=mode, **rest)  # type: ignore[arg-type]


def lived(*steps: Step) -> Session:
    """The worker's session after these steps, each of which changes it."""
    session = Session()
    for step in steps:
        event = step if isinstance(step, Event) else PAGE_EVENTS[interpret([step]).state]
        before, session = session, advance(session, event).session
        assert session != before, f"{step} changes nothing"
    return session


def seen(*steps: Step, for_seconds: float = 5.0, beside: Observation = WELL) -> Observation:
    """What health sees of a session that lived through these steps."""
    session = lived(*steps)
    return in_state(session.state.value, session.reason.value, for_seconds, beside)


ONLINE = page("CONNECTED", "MAIN", number="201000000001")
LINKED: tuple[Step, ...] = (Event.START, Event.PROFILE_GOOD, ONLINE)
DAMAGED = with_profile(valid=False, missing_files=("Local Storage",), validated_at=ago(2))
NO_BACKUP = with_backups(DAMAGED, count=0, newest_at=None)
NO_COPY = with_saves(NO_BACKUP, count=0, newest_at=None)

GROUNDS: dict[str, list[Observation]] = {
    "account-banned": [
        seen(*LINKED, page("TIMEOUT", "MAIN", backend_event="account_temporarily_banned")),
        seen(Event.START, Event.PROFILE_GOOD, page("UNPAIRED", "QR", backend_event="account_temporarily_banned")),
    ],
    "accept-terms": [
        seen(*LINKED, page("TOS_BLOCK", "TOS_BLOCK")),
        seen(*LINKED, page("SMB_TOS_BLOCK", "SMB_TOS_BLOCK")),
        seen(*LINKED, page("OPENING", "TOS_BLOCK")),
    ],
    "update-page": [seen(*LINKED, page("DEPRECATED_VERSION", "DEPRECATED_VERSION"))],
    "change-network": [
        seen(*LINKED, page("PROXYBLOCK", "PROXYBLOCK")),
        seen(Event.START, Event.PROFILE_GOOD, page("PROXYBLOCK", "PROXYBLOCK")),
    ],
    "answer-dialog": [seen(*LINKED, RawReading(tier="dom", dialog="a-modal"))],
    "stop-other-program": [in_state(State.FAILED, Reason.PROFILE_IN_USE)],
    "update-browser": [seen(Event.START, Event.PROFILE_NONE, Event.BROWSER_TOO_OLD)],
    "decide-clear": [seen(Event.START, Event.PROFILE_NONE, Event.TOMBSTONE_UNVERIFIED)],
    "close-store": [
        seen(*LINKED, beside=replace(WELL, lost_backups=LostBackups(9, 0, ago(60)))),
        seen(*LINKED, beside=replace(WELL, rejected_records=(RejectedRecord("head", "swapped", ago(60)),))),
    ],
    "one-owner": [seen(*LINKED, beside=replace(WELL, duplicate_owners=(DuplicateOwner("b", ago(9), True),)))],
    "mend-bus": [replace(seen(*LINKED), listening_since=None)],
    "mend-gateway": [replace(seen(*LINKED), gateway=GatewaySample(ago(1), None, ago(60)))],
    "mend-worker": [replace(seen(*LINKED), workers=())],
    "mend-store": [
        seen(Event.START, Event.PROFILE_NONE, Event.STORE_UNKNOWN, beside=replace(WELL, backup_replicas=()))
    ],
    "scan-qr": [seen(Event.START, Event.PROFILE_NONE, Event.NOTHING_TO_RESTORE, page("UNPAIRED", "QR"))],
    "link-again": [
        seen(*LINKED, page("UNPAIRED", "QR", post_logout=True)),
        seen(*LINKED, page("UNPAIRED", "QR"), Event.COPIES_USELESS),
    ],
    "close-elsewhere": [seen(*LINKED, page("CONFLICT", "CONFLICT")), seen(*LINKED, page(use_here=True))],
    "wait-restore": [
        seen(Event.START, Event.PROFILE_BAD),
        seen(Event.START, Event.PROFILE_NONE, Event.STORE_UNKNOWN),
        seen(Event.START, Event.PROFILE_NONE, Event.RESTORE_FAILED),
        seen(*LINKED, Event.RESTORE_ASKED),
    ],
    "restore-backup": [seen(*LINKED, beside=DAMAGED)],
    "restart-from-save": [seen(*LINKED, beside=NO_BACKUP)],
    "find-copies": [seen(*LINKED, beside=with_backups(NO_COPY, known=False))],
    "clear-damaged": [seen(*LINKED, beside=NO_COPY)],
    "initialize": [
        seen(*LINKED, page("TIMEOUT", "MAIN"), Event.LADDER_ENDED),
        seen(*LINKED, Event.BROWSER_GONE, for_seconds=121),
    ],
    "health-check": [seen(*LINKED, beside=with_status(probed_at=ago(70)))],
    "back-up": [seen(*LINKED, beside=with_backups(newest_at=ago(4000)))],
    "mend-backups": [seen(*LINKED, beside=with_backups(last_attempt_at=ago(5), last_error="fenced"))],
    "shrink-profile": [seen(*LINKED, beside=with_profile(bytes=200 * 2**20))],
    "allow-hosts": [
        seen(*LINKED, Event.BROWSER_GONE, for_seconds=121, beside=with_browser(refused_hosts=("cdn.example",))),
    ],
    "more-memory": [seen(*LINKED, beside=with_browser(memory_bytes=2**40))],
    "more-disk": [seen(*LINKED, beside=replace(WELL, workers=(worker(disk_free_bytes=0),)))],
    "update-driver": [seen(*LINKED, beside=with_browser(read_ok=False))],
}
"""Id of a recommendation → lives of a real worker's session that make it appear."""


def test_each_recommendation_has_a_ground_here() -> None:
    assert set(GROUNDS) == {rule.id for rule in RULES}


@pytest.mark.parametrize(
    ("recommendation", "observation"),
    [(name, observation) for name, observations in GROUNDS.items() for observation in observations],
)
def test_the_real_worker_makes_each_recommendation_appear(recommendation: str, observation: Observation) -> None:
    assert recommendation in recommended(observation)


# every session that the worker's machine can come to
_SOCKETS = (
    "", "OPENING", "PAIRING", "UNPAIRED", "UNPAIRED_IDLE", "CONNECTED", "TIMEOUT", "CONFLICT", "UNLAUNCHED",
    "PROXYBLOCK", "TOS_BLOCK", "SMB_TOS_BLOCK", "DEPRECATED_VERSION", "A_WORD_OF_TOMORROW",
)  # fmt: skip
_MODES = ("", "QR", "MAIN", "SYNCING", "OFFLINE", "A_WORD_OF_TOMORROW")
_FLAGS: tuple[dict[str, object], ...] = (
    {}, {"number": "201000000001"}, {"post_logout": True}, {"dialog": "a-modal"}, {"use_here": True},
    {"backend_event": "account_temporarily_banned"},
)  # fmt: skip


def _page_events() -> set[Event]:
    """The events that raw readings of a page lead to, and a page of which nothing is read."""
    readings = (page(socket, mode, **flags) for socket, mode, flags in product(_SOCKETS, _MODES, _FLAGS))
    states = {interpret([reading]).state for reading in readings} | {PageState.ELSEWHERE, PageState.BLANK}
    return {PAGE_EVENTS[state] for state in states if state in PAGE_EVENTS}


def _reachable(events: Iterable[Event]) -> set[Session]:
    events, found, todo = tuple(events), {Session()}, [Session()]
    while todo:
        session = todo.pop()
        for following in {advance(session, event).session for event in events} - found:
            found.add(following)
            todo.append(following)
    return found


EVENTS = (set(Event) - set(PAGE_EVENTS.values())) | _page_events()
LIVES = {(session.state, session.reason) for session in _reachable(EVENTS)}


def _reported_beside_the_machine() -> set[tuple[State, Reason]]:
    """States and reasons that the worker's runner reports without its machine: `report(State.X, Reason.Y)`."""
    found = set()
    for file in Path(browser_worker.runner.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "report":
                names = [arg.attr for arg in node.args if isinstance(arg, ast.Attribute)]
                if len(names) == 2:
                    found.add((State[names[0]], Reason[names[1]]))
    return found


PRODUCED = LIVES | _reported_beside_the_machine()


def test_the_worker_produces_every_reason_of_the_contract() -> None:
    """UNKNOWN is what a reader makes of a reason that it does not know; nobody writes it."""
    assert set(Reason) - {reason for _, reason in PRODUCED} == {Reason.UNKNOWN}
    assert (State.FAILED, Reason.PROFILE_IN_USE) in PRODUCED


def test_the_worker_produces_every_cause_in_a_state_in_which_it_counts() -> None:
    found = {problem(in_state(state, reason), connection.CONNECTION) for state, reason in PRODUCED}
    assert {cause_of(reason) for reason in Reason} == {*Cause, None}
    assert {cause.value for cause in Cause} <= found


def test_each_recommendation_about_a_cause_follows_from_what_the_worker_produces() -> None:
    about_states = {rule.id for rule in RULES if rule.codes == (connection.CONNECTION,)}
    found = {name for state, reason in PRODUCED for name in recommended(in_state(state, reason, 999))}
    assert about_states <= found


def test_a_session_that_needs_a_person_is_told_why() -> None:
    """Only a session that gave up after all attempts gets the general text; it says that slow attempts continue."""
    general = {connection.NEEDS_ATTENTION.id, connection.FAILED.id}
    told_nothing = {
        reason
        for state, reason in PRODUCED
        if state in (State.NEEDS_ATTENTION, State.FAILED)
        and problem(in_state(state, reason), connection.CONNECTION) in general
    }
    assert told_nothing == {Reason.CANNOT_RECONNECT}


def test_no_session_of_the_worker_is_in_a_state_that_health_does_not_know() -> None:
    for state, reason in PRODUCED:
        assert problem(in_state(state, reason), connection.CONNECTION) != connection.UNKNOWN_STATE.id


# other free texts of the contracts
def test_a_reason_of_a_later_version_is_shown_and_names_no_cause() -> None:
    report = verdict(in_state("needs_attention", "terms_banned_proxyblock_of_tomorrow"))
    assert report.checks[0].value == "needs_attention: terms_banned_proxyblock_of_tomorrow"
    assert [each.id for each in report.recommendations] == ["initialize"]


@pytest.mark.parametrize("error", ["", "not asked yet", "NoSuchBucket", "healthy", "store ok", "banned"])
def test_nothing_is_decided_by_the_text_of_the_store_error(error: str) -> None:
    down = BackupReplicaSample("b", ago(2), store_ok=False, store_error=error, store_down_since=ago(60))
    other = replace(down, store_error="another error")
    one, two = (verdict(replace(WELL, backup_replicas=(each,))) for each in (down, other))
    assert [(each.code, each.level) for each in one.checks] == [(each.code, each.level) for each in two.checks]
    assert one.issues == two.issues
    assert [each.id for each in one.recommendations] == [each.id for each in two.recommendations]


@pytest.mark.parametrize("code", ["epoch_not_claimed", "fenced", "healthy", "code_of_tomorrow"])
def test_only_the_failure_of_a_backup_counts_and_not_its_code(code: str) -> None:
    def failed(last_error: str) -> Observation:
        return with_backups(newest_at=ago(4000), last_attempt_at=ago(5), last_error=last_error)

    def told(last_error: str) -> str:
        """The report, with the code taken out where it is shown as evidence."""
        report = encode(verdict(failed(last_error))).decode()
        for shown in ("{}, 5 s ago", "attempt failed: {}.", "للنسخ الاحتياطي: {}."):
            assert shown.format(last_error) in report
            report = report.replace(shown.format(last_error), shown)
        return report

    assert told(code) == told("unavailable")
    assert problem(failed(code), copies.BACKUP) == copies.OLD_BACKUP.id
    assert problem(failed(""), copies.BACKUP) == ""


def test_the_gateway_knows_every_action_that_is_recommended() -> None:
    assert {action.value for action in Action} <= {action.value for action in GatewayAction}
    assert {rule.action for rule in RULES} == {None, *Action}
