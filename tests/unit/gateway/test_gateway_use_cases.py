"""Use cases without HTTP and without a bus: what they ask for, what they return, what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from gateway_stage import NOON, SESSION, pairing, report, status

from gateway.adapters.live_view import LiveView
from gateway.domain.desired_state import CLEARED, CLEARING, NOTHING_TO_CLEAR
from gateway.domain.request_errors import Busy, SendFailed, WorkerGone
from gateway.usecases.back_up import BackUp, BackupDone, BackupUnderWay
from gateway.usecases.clear import Clear
from gateway.usecases.health_check import HealthCheck
from gateway.usecases.initialize import Initialize
from gateway.usecases.limits import Admission
from gateway.usecases.list_backups import ListSessionBackups
from gateway.usecases.pair_phone import PairByNumber
from gateway.usecases.read_status import ReadStatus
from gateway.usecases.restore import Restore
from gateway.usecases.send_test_message import MessageSent, SendTestMessage
from shared.clock import Deadline
from shared.contracts import subjects
from shared.contracts.backups import BackupEntry, Backups
from shared.contracts.budgets import ANSWER_SECONDS
from shared.contracts.commands import SEND_TEST, Accepted, BackedUp, Checked, PairingCode, SendResult, SendTest
from shared.contracts.errors import Conflict, NotConnected, NotFound, NotRunning, ServiceError, TimedOut, Unavailable
from shared.contracts.message import Message
from shared.contracts.sessions import SessionRecord, SessionStatus
from shared.contracts.telemetry import WorkerHeartbeat
from shared.testing import FakeClock


class ScriptedMessenger:
    """Answers each command with a message or an error; holds what was asked."""

    def __init__(self, **answers: Message | Exception) -> None:
        self.answers = answers
        self.asked: list[tuple[str, Message, str]] = []

    def request(self, subject: str, message: Message, reply: Any, *, timeout: float) -> Any:
        return self._answer(subject, message, "")

    def ask_owner(
        self,
        command: subjects.Command,
        session: str,
        message: Message,
        reply: Any,
        *,
        timeout: float,
        command_id: str = "",
    ) -> Any:
        return self._answer(subjects.command(command, session), message, command_id)

    def _answer(self, subject: str, message: Message, command_id: str) -> Any:
        self.asked.append((subject, message, command_id))
        answer = self.answers[type(message).__name__]
        if isinstance(answer, Exception):
            raise answer
        return answer


class DesiredStatesInMemory:
    """`follow`: the status that the worker publishes as soon as it sees a new record."""

    def __init__(self, view: LiveView, follow: Any = None) -> None:
        self.view, self.follow = view, follow
        self.record: SessionRecord | None = None

    def read(self, session: str, *, timeout: float) -> tuple[SessionRecord | None, int]:
        return self.record, 1 if self.record else 0

    def write(self, record: SessionRecord, revision: int, *, timeout: float) -> None:
        self.record = record
        if self.follow:
            self.view.status_changed(SESSION, self.follow(record))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def view(clock: FakeClock) -> LiveView:
    return LiveView(clock)


@pytest.fixture
def deadline(clock: FakeClock) -> Deadline:
    return Deadline(clock, ANSWER_SECONDS)


def owned(view: LiveView, reported: SessionStatus) -> None:
    view.status_changed(SESSION, reported)
    view.heartbeat_received(WorkerHeartbeat(worker="worker-1", at=NOON, sessions=(SESSION,)))


def test_a_sent_message_is_an_outcome_with_its_command_id(view: LiveView, deadline: Deadline) -> None:
    owned(view, status())
    messenger = ScriptedMessenger(SendTest=SendResult(outcome="sent", message_id="m-1", ack=1))
    sent = SendTestMessage(view, messenger)(SESSION, "201234567890", "hello", "mine", deadline)
    assert sent == MessageSent("mine", "m-1", 1, repeated=False)
    message = SendTest(phone_number="201234567890", text="hello")
    assert messenger.asked == [(subjects.command(SEND_TEST, SESSION), message, "mine")]


def test_a_message_without_a_command_id_gets_one(view: LiveView, deadline: Deadline) -> None:
    owned(view, status())
    messenger = ScriptedMessenger(SendTest=SendResult(outcome="sent"))
    sent = SendTestMessage(view, messenger)(SESSION, "201234567890", "hello", "", deadline)
    assert sent.command_id
    assert messenger.asked[0][2] == sent.command_id


@pytest.mark.parametrize(
    "answer", [TimedOut("late"), *(SendResult(outcome=each) for each in ("unknown", "absent", "?"))]
)
def test_a_message_that_may_have_been_sent_is_never_called_sent_or_failed(
    view: LiveView, deadline: Deadline, answer: Any
) -> None:
    owned(view, status())
    with pytest.raises(TimedOut) as unknown:
        SendTestMessage(view, ScriptedMessenger(SendTest=answer))(SESSION, "201234567890", "hello", "mine", deadline)
    assert unknown.value.code == "unknown_outcome"


def test_a_refused_message_is_an_error(view: LiveView, deadline: Deadline) -> None:
    owned(view, status())
    messenger = ScriptedMessenger(SendTest=SendResult(outcome="failed", error="no WhatsApp"))
    with pytest.raises(SendFailed):
        SendTestMessage(view, messenger)(SESSION, "201234567890", "hello", "", deadline)


def test_a_command_asks_nobody_without_a_live_owner_or_a_connection(view: LiveView, deadline: Deadline) -> None:
    messenger = ScriptedMessenger()
    send, back_up = SendTestMessage(view, messenger), BackUp(view, messenger)
    with pytest.raises(WorkerGone):
        back_up(SESSION, deadline)
    owned(view, pairing())
    for attempt in (lambda: send(SESSION, "201234567890", "x", "", deadline), lambda: back_up(SESSION, deadline)):
        with pytest.raises(NotConnected):
            attempt()
    assert messenger.asked == []


def test_a_backup_is_done_or_still_under_way(view: LiveView, deadline: Deadline) -> None:
    owned(view, status())
    done = BackUp(view, ScriptedMessenger(BackUpNow=BackedUp(outcome="stored", backup_id="b-1")))(SESSION, deadline)
    assert isinstance(done, BackupDone)
    assert (done.outcome, done.backup_id) == ("stored", "b-1")
    late = BackUp(view, ScriptedMessenger(BackUpNow=TimedOut("late")))(SESSION, deadline)
    assert isinstance(late, BackupUnderWay)


def test_a_restore_needs_an_owner_but_no_connection(view: LiveView, deadline: Deadline) -> None:
    messenger = ScriptedMessenger(RestoreNow=Accepted(detail="soon"))
    with pytest.raises(WorkerGone):
        Restore(view, messenger)(SESSION, "", deadline)
    owned(view, status(state="needs_attention"))
    assert Restore(view, messenger)(SESSION, "b-1", deadline).detail == "soon"


def test_a_pairing_code_is_asked_for_only_while_pairing(view: LiveView, deadline: Deadline) -> None:
    pair = PairByNumber(view, ScriptedMessenger(PairPhone=PairingCode(code="ABCD1234", valid_seconds=160)))
    for reported, code in ((status(), "already_linked"), (status(state="starting"), "not_pairing")):
        owned(view, reported)
        with pytest.raises(Conflict) as refused:
            pair(SESSION, "201234567890", deadline)
        assert refused.value.code == code
    owned(view, pairing())
    assert pair(SESSION, "201234567890", deadline).code == "ABCD1234"


def test_a_health_check_rests_on_whoever_answers(view: LiveView, clock: FakeClock, deadline: Deadline) -> None:
    owned(view, status())
    checked, verdict, late = Checked(status=status(), probe_ok=True), report(), TimedOut("late")

    def check(probe: Any, judge: Any) -> Any:
        return HealthCheck(view, ScriptedMessenger(Check=probe, Judge=judge), clock)(SESSION, deadline)

    assert (check(checked, verdict).report, check(checked, verdict).probe) == (verdict, checked)
    assert (check(late, verdict).report, check(late, verdict).probe) == (verdict, late)
    assert check(checked, late).report.overall == "warning"
    with pytest.raises(TimedOut):
        check(late, late)


def test_initialize_returns_what_comes_next(view: LiveView, clock: FakeClock, deadline: Deadline) -> None:
    owned(view, status(state="stopped", request=1))
    states = DesiredStatesInMemory(view, lambda record: pairing(request=record.request))
    done = Initialize(view, states, clock)(SESSION, deadline)
    assert (done.next_step.code, done.observed.state) == ("pairing", "pairing")


def test_without_a_worker_initialize_is_written_and_clear_is_not(
    view: LiveView, clock: FakeClock, deadline: Deadline
) -> None:
    states = DesiredStatesInMemory(view)
    with pytest.raises(WorkerGone):
        Clear(view, states, backups(0), clock)(SESSION, deadline)
    assert states.record is None
    with pytest.raises(WorkerGone):
        Initialize(view, states, clock)(SESSION, deadline)
    assert states.record is not None


def test_clear_is_done_when_the_worker_has_carried_it_out(view: LiveView, clock: FakeClock, deadline: Deadline) -> None:
    owned(view, status())
    states = DesiredStatesInMemory(view, lambda record: status(state="stopped", request=record.request))
    assert Clear(view, states, backups(0), clock)(SESSION, deadline).next_step == CLEARED


def test_clearing_what_never_existed_makes_nothing_and_says_so(
    view: LiveView, clock: FakeClock, deadline: Deadline
) -> None:
    owned(view, status())
    states = DesiredStatesInMemory(view)
    assert Clear(view, states, backups(0), clock)("shopp", deadline).next_step == NOTHING_TO_CLEAR
    assert states.record is None


def test_a_session_known_only_by_its_backups_is_cleared_and_unknown_is_not_absent(
    view: LiveView, clock: FakeClock, deadline: Deadline
) -> None:
    owned(view, status())
    states = DesiredStatesInMemory(view)
    view.stop()  # so that nobody waits for the wipe
    with pytest.raises(Unavailable):
        Clear(view, states, backups(Unavailable("the store cannot be asked")), clock)("shop-2", deadline)
    assert states.record is None
    assert Clear(view, states, backups(1), clock)("shop-2", deadline).next_step == CLEARING
    assert states.record is not None


def backups(found: int | Exception) -> ListSessionBackups:
    """A backup service that knows so many backups of every session, or fails."""
    entry = BackupEntry(
        id="b", epoch=1, sequence=1, taken_at=NOON, bytes=1, state="stored", browser_version="1", generation="g"
    )
    answer = found if isinstance(found, Exception) else Backups(backups=(entry,) * found)
    return ListSessionBackups(ScriptedMessenger(ListBackups=answer))


def test_the_list_of_backups_names_the_missing_service(deadline: Deadline) -> None:
    with pytest.raises(NotRunning) as gone:
        ListSessionBackups(ScriptedMessenger(ListBackups=NotRunning("nobody serves this now")))(SESSION, deadline)
    assert gone.value.code == "backup_service_gone"


def test_the_status_is_read_only_when_the_view_is_loaded(view: LiveView) -> None:
    read = ReadStatus(view, SESSION)
    with pytest.raises(Unavailable):
        read(SESSION)
    assert read.existing("shop-2") == "shop-2", "nothing is known yet, so nothing is known to be absent"
    view.bucket_loaded("sessions")
    view.bucket_loaded("statuses")
    assert read(SESSION).session == SESSION
    assert read.existing("") == SESSION
    with pytest.raises(NotFound):
        read.existing("shop-2")


def test_admission_needs_the_bus_and_a_free_slot_and_gives_the_slot_back(view: LiveView) -> None:
    admission = Admission(view, most=1)
    with pytest.raises(Unavailable), admission():
        pytest.fail("the bus is away")
    view.bus_changed(connected=True)
    with admission(), pytest.raises(Busy), admission():
        pytest.fail("the only slot is taken")
    with pytest.raises(ServiceError), admission():
        raise ServiceError("it failed")
    with admission():
        pass
