"""A session that lives through anything in any order: the runner's part is played here, with a browser that is counted.

Hypothesis chooses the events, how many effects of each step are performed before the next event cancels them, and when
the browser dies.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from browser_worker.domain.events import Effect, Event
from browser_worker.domain.machine import TABLE, Step, advance
from browser_worker.domain.session import (
    DurableRecord,
    Fact,
    RestoreCause,
    Session,
    anchored,
    note,
    record_of,
    session_of,
)
from shared.contracts.sessions import State

MEANINGS = frozenset({Event.LOGIN_LOST, Event.LINKED, Event.PROFILE_REVOKED})
"""Only `meaning` gives these; nobody posts them."""
POSTED = sorted(set(Event) - MEANINGS)
ENDS_THE_BROWSER = frozenset({Effect.CLOSE, Effect.KILL, Effect.SHUT_DOWN, Effect.WIPE})
COPIES_OF_OTHERS = frozenset({RestoreCause.REQUESTED, RestoreCause.OWNED_ELSEWHERE})
ANSWERED = {
    state: [event for event in POSTED if advance(Session(state=state), event) != Step(Session(state=state))]
    for state in State
}
"""Events that do something in a state, so that the search does not spend itself on events that are ignored."""
OWNED = sorted({state for state, event in TABLE if event is Event.LEASE_LOST})


class SessionLife(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.session = Session()
        self.browsers = 0
        self.launches = 0
        self.wiped_by: list[Event] = []

    @initialize(
        record=st.builds(
            DurableRecord,
            epoch=st.integers(0, 3),
            linked=st.booleans(),
            revoked=st.booleans(),
            cleared_epoch=st.integers(0, 3),
        ),
        gap=st.integers(1, 3),
    )
    def begins(self, record: DurableRecord, gap: int) -> None:
        if not (record.linked and record.revoked):
            self.session = session_of(record, record.epoch + gap)

    @rule(data=st.data(), performed=st.integers(0, 3))
    def something_happens(self, data: st.DataObject, performed: int) -> None:
        answered = ANSWERED[self.session.state] or POSTED
        self.happens(data.draw(st.sampled_from(answered)), performed)

    @rule(event=st.sampled_from(POSTED))
    def anything_happens(self, event: Event) -> None:
        self.happens(event, 3)

    def happens(self, event: Event, performed: int) -> None:
        before, step = self.session, advance(self.session, event)
        self.session = step.session
        self.keeps_its_promises(before, event, step)
        if step != Step(before) and (self.session.state is State.CONNECTED or self.session.newly_linked):
            self.launches = 0
        final = event in (Event.STOP, Event.CLEAR, Event.LEASE_LOST)
        for effect in step.effects if final else step.effects[:performed]:
            self.performs(effect, event)

    def keeps_its_promises(self, before: Session, event: Event, step: Step) -> None:
        if Effect.WIPE in step.effects:
            assert event is Event.CLEAR
        if Effect.RESTORE in step.effects and before.login_is_revoked:
            assert step.session.restore_cause in COPIES_OF_OTHERS, "a revoked login is restored"
        if event is Event.LEASE_LOST and before.state in OWNED:
            assert step.effects == (Effect.KILL,)
        if before.refused and step.session.refused:
            assert not set(step.effects) & {Effect.CLIMB, Effect.RETRY_SLOWLY, Effect.LAUNCH}

    def performs(self, effect: Effect, event: Event) -> None:
        if effect in ENDS_THE_BROWSER:
            self.ends_the_browser()
        elif effect is Effect.LAUNCH:
            assert self.browsers == 0, "a second browser is started"
            self.starts_a_browser()
        if effect is Effect.WIPE:
            self.wiped_by.append(event)
            self.session = note(self.session, Fact.WIPED)

    def starts_a_browser(self) -> None:
        self.session = note(note(self.session, Fact.LAUNCHING), Fact.LAUNCHED)
        self.browsers += 1
        self.launches += 1

    def ends_the_browser(self) -> None:
        self.session = note(self.session, Fact.BROWSER_ENDED)
        self.browsers = 0

    @precondition(lambda self: self.browsers)
    @rule()
    def the_browser_dies(self) -> None:
        self.ends_the_browser()
        self.happens(Event.BROWSER_GONE, 0)

    @precondition(lambda self: self.session.state is State.RECONNECTING)
    @rule()
    def the_ladder_starts_a_new_browser(self) -> None:
        self.session = note(self.session, Fact.ATTEMPT)
        self.ends_the_browser()
        self.starts_a_browser()

    @rule(epoch=st.integers(1, 9))
    def the_object_store_confirms_the_epoch(self, epoch: int) -> None:
        self.session = anchored(self.session, max(epoch, self.session.epoch))

    @invariant()
    def at_most_one_browser_runs_and_the_session_knows_of_it(self) -> None:
        assert self.browsers <= 1
        assert self.session.launched == (self.browsers == 1)

    @invariant()
    def launches_since_connected_are_counted_right(self) -> None:
        assert self.session.launches_since_connected == self.launches

    @invariant()
    def a_login_is_not_linked_and_revoked_at_once(self) -> None:
        assert not (self.session.linked and self.session.revoked)

    @invariant()
    def no_qr_is_shown_where_a_login_is_known(self) -> None:
        assert not (self.session.state is State.PAIRING and self.session.linked)

    @invariant()
    def only_a_clear_wipes(self) -> None:
        assert set(self.wiped_by) <= {Event.CLEAR}

    @invariant()
    def the_record_brings_back_what_outlives_the_process(self) -> None:
        record = record_of(self.session)
        assert record_of(session_of(record, record.epoch + 1)) == record


SessionLife.TestCase.settings = settings(
    max_examples=100, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestSessionLife = SessionLife.TestCase
