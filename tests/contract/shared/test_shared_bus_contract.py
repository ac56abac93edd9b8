"""What every bus does, the real one and the one in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from uuid import uuid4

import pytest

from shared.bus import Bus, Call, Conflict, create_streams
from shared.clock import SystemClock
from shared.contracts import subjects
from shared.contracts.backups import READ_CHUNK
from shared.contracts.commands import BACK_UP_NOW, Accepted, AskCommand, BackUpNow, SendResult
from shared.contracts.errors import Fenced, Invalid, NotRunning, ServiceError, TimedOut
from shared.contracts.events import SessionCleared
from shared.contracts.sessions import SessionRecord
from shared.contracts.telemetry import WorkerHeartbeat
from shared.testing import FakeBus, MemoryHub, NatsServer, eventually, options_for_tests

NewBus = Callable[[], Awaitable[Bus]]


@pytest.fixture(params=["nats", "memory"])
async def new_bus(request: pytest.FixtureRequest) -> AsyncIterator[NewBus]:
    """Makes buses that meet on one server."""
    made: list[Bus] = []
    hub = MemoryHub()
    server: NatsServer | None = request.getfixturevalue("nats") if request.param == "nats" else None

    async def make() -> Bus:
        if server is None:
            made.append(FakeBus(hub=hub))
        else:
            made.append(await Bus.connect(options_for_tests(server.url), clock=SystemClock()))
            await create_streams(made[-1])
        return made[-1]

    yield make
    for bus in made:
        await bus.drain()


@pytest.fixture
async def bus(new_bus: NewBus) -> Bus:
    return await new_bus()


@pytest.fixture
def session() -> str:
    return f"s-{uuid4().hex[:12]}"


def record(session: str, request: int = 1) -> SessionRecord:
    return SessionRecord(session=session, desired="running", requested_at=SystemClock().now(), request=request)


async def accept(_: BackUpNow, call: Call) -> Accepted:
    return Accepted(detail=call.session)


# requests


async def test_a_request_is_answered_with_the_session_of_its_subject(bus: Bus, session: str) -> None:
    await bus.serve(subjects.command(BACK_UP_NOW, session), BackUpNow, accept)
    answer = await bus.request(subjects.command(BACK_UP_NOW, session), BackUpNow(), Accepted, timeout=5)
    assert answer == Accepted(detail=session)


async def test_raw_bytes_come_back_as_they_were(bus: Bus, session: str) -> None:
    chunk = bytes(range(256)) * 2048

    async def read(_: BackUpNow, __: Call) -> bytes:
        return chunk

    await bus.serve(subjects.command(READ_CHUNK, session), BackUpNow, read)
    assert await bus.request_bytes(f"wa.cmd.snapshot.read-chunk.{session}", BackUpNow(), timeout=5) == chunk


async def test_the_command_id_and_a_deadline_reach_the_handler(bus: Bus, session: str) -> None:
    calls: list[Call] = []

    async def note(_: BackUpNow, call: Call) -> Accepted:
        calls.append(call)
        return Accepted()

    subject = subjects.command(BACK_UP_NOW, session)
    await bus.serve(subject, BackUpNow, note)
    before = SystemClock().now()
    await bus.request(subject, BackUpNow(), Accepted, timeout=5, command_id="c-1")
    await bus.request(subject, BackUpNow(), Accepted, timeout=5)
    assert calls[0].command_id == "c-1"
    assert len(calls[1].command_id) == 32
    assert calls[0].deadline is not None
    assert timedelta(seconds=4) < calls[0].deadline - before < timedelta(seconds=6)


async def test_a_request_that_nobody_serves_is_not_running_within_100_ms(bus: Bus, session: str) -> None:
    clock = SystemClock()
    with pytest.raises(NotRunning):
        await bus.request(f"wa.cmd.nothing.here.{session}", BackUpNow(), Accepted, timeout=5)
    started = clock.monotonic()
    with pytest.raises(NotRunning):
        await bus.request(f"wa.cmd.nothing.here.{session}", BackUpNow(), Accepted, timeout=5)
    assert clock.monotonic() - started < 0.1


async def test_an_error_of_the_tree_is_raised_again_at_the_caller(bus: Bus, session: str) -> None:
    async def refuse(_: BackUpNow, __: Call) -> Accepted:
        raise Fenced("a newer owner exists", hint="stop")

    subject = subjects.command(BACK_UP_NOW, session)
    await bus.serve(subject, BackUpNow, refuse)
    with pytest.raises(Fenced) as caught:
        await bus.request(subject, BackUpNow(), Accepted, timeout=5)
    assert (caught.value.message, caught.value.hint) == ("a newer owner exists", "stop")


async def test_an_unexpected_exception_reaches_the_caller_without_its_text(bus: Bus, session: str) -> None:
    async def fail(_: BackUpNow, __: Call) -> Accepted:
        raise RuntimeError("the number is 201234567890")

    subject = subjects.command(BACK_UP_NOW, session)
    await bus.serve(subject, BackUpNow, fail)
    with pytest.raises(ServiceError) as caught:
        await bus.request(subject, BackUpNow(), Accepted, timeout=5)
    assert caught.value.code == "internal"
    assert "2012" not in str(caught.value)
    assert bus.counts["handler_failed"] == 1


async def test_a_request_of_another_kind_is_invalid(bus: Bus, session: str) -> None:
    subject = subjects.command(BACK_UP_NOW, session)
    await bus.serve(subject, BackUpNow, accept)
    with pytest.raises(Invalid):
        await bus.request(subject, AskCommand(command_id="x"), SendResult, timeout=5)


async def test_an_answer_of_another_kind_is_an_error(bus: Bus, session: str) -> None:
    subject = subjects.command(BACK_UP_NOW, session)
    await bus.serve(subject, BackUpNow, accept)
    with pytest.raises(ServiceError) as caught:
        await bus.request(subject, BackUpNow(), SendResult, timeout=5)
    assert caught.value.code == "bad_answer"


async def test_a_handler_that_is_too_slow_is_timed_out(bus: Bus, session: str) -> None:
    release = asyncio.Event()

    async def wait(_: BackUpNow, __: Call) -> Accepted:
        await release.wait()
        return Accepted()

    subject = subjects.command(BACK_UP_NOW, session)
    await bus.serve(subject, BackUpNow, wait)
    with pytest.raises(TimedOut):
        await bus.request(subject, BackUpNow(), Accepted, timeout=0.1)
    release.set()


async def test_a_request_past_its_deadline_is_never_executed(bus: Bus, session: str) -> None:
    release = asyncio.Event()
    executed: list[str] = []

    async def one_at_a_time(_: BackUpNow, call: Call) -> Accepted:
        executed.append(call.command_id)
        await release.wait()
        return Accepted()

    subject = subjects.command(BACK_UP_NOW, session)
    served = await bus.serve(subject, BackUpNow, one_at_a_time, concurrency=1)
    first = asyncio.create_task(bus.request(subject, BackUpNow(), Accepted, timeout=30, command_id="first"))
    await eventually(lambda: executed == ["first"])
    with pytest.raises(TimedOut):
        await bus.request(subject, BackUpNow(), Accepted, timeout=0.2, command_id="second")
    release.set()
    await first
    await bus.request(subject, BackUpNow(), Accepted, timeout=5, command_id="third")
    await served.stop()
    assert executed == ["first", "third"]
    assert bus.counts["late"] == 1


async def test_handlers_run_side_by_side_up_to_their_number(bus: Bus, session: str) -> None:
    running = 0
    most = 0
    full = asyncio.Event()

    async def meet(_: BackUpNow, __: Call) -> Accepted:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 3:
            full.set()
        await asyncio.wait_for(full.wait(), 5)
        await asyncio.sleep(0)
        running -= 1
        return Accepted()

    subject = subjects.command(BACK_UP_NOW, session)
    await bus.serve(subject, BackUpNow, meet, concurrency=3)
    await asyncio.gather(*(bus.request(subject, BackUpNow(), Accepted, timeout=10) for _ in range(9)))
    assert most == 3


async def test_one_of_a_queue_group_answers_each_request(new_bus: NewBus, session: str) -> None:
    first, second, caller = await new_bus(), await new_bus(), await new_bus()
    answered: list[str] = []

    def named(name: str) -> Callable[[BackUpNow, Call], Awaitable[Accepted]]:
        async def handle(_: BackUpNow, __: Call) -> Accepted:
            answered.append(name)
            return Accepted()

        return handle

    subject = subjects.command(BACK_UP_NOW, session)
    await first.serve(subject, BackUpNow, named("first"), queue="workers")
    await second.serve(subject, BackUpNow, named("second"), queue="workers")
    for _ in range(30):
        await caller.request(subject, BackUpNow(), Accepted, timeout=5)
    assert len(answered) == 30
    assert set(answered) == {"first", "second"}


async def test_stop_waits_for_the_running_handler_and_its_answer_arrives(bus: Bus, session: str) -> None:
    begun, release = asyncio.Event(), asyncio.Event()

    async def slow(_: BackUpNow, __: Call) -> Accepted:
        begun.set()
        await release.wait()
        return Accepted(detail="done")

    subject = subjects.command(BACK_UP_NOW, session)
    served = await bus.serve(subject, BackUpNow, slow)
    asking = asyncio.create_task(bus.request(subject, BackUpNow(), Accepted, timeout=10))
    await begun.wait()
    stopping = asyncio.create_task(served.stop())
    await asyncio.sleep(0)
    assert not stopping.done()
    release.set()
    assert (await asking).detail == "done"
    await stopping
    with pytest.raises(NotRunning):
        await bus.request(subject, BackUpNow(), Accepted, timeout=5)


# telemetry and events


async def test_telemetry_reaches_every_listener_in_order(new_bus: NewBus, session: str) -> None:
    sender, listener = await new_bus(), await new_bus()
    seen: list[tuple[int, str]] = []
    await listener.subscribe(
        "wa.tel.browser-worker.heartbeat.*",
        WorkerHeartbeat,
        lambda beat, subject: seen.append((beat.free_capacity, subject)),
    )
    subject = subjects.telemetry("browser-worker", "heartbeat", session)
    for room in range(50):
        await sender.publish(subject, WorkerHeartbeat(worker=session, at=SystemClock().now(), free_capacity=room))
    await eventually(lambda: len(seen) == 50)
    assert seen == [(room, subject) for room in range(50)]


async def test_a_message_of_another_kind_is_counted_and_the_next_one_is_heard(new_bus: NewBus, session: str) -> None:
    sender, listener = await new_bus(), await new_bus()
    seen: list[WorkerHeartbeat] = []
    subject = subjects.telemetry("browser-worker", "heartbeat", session)
    await listener.subscribe(subject, WorkerHeartbeat, lambda beat, _: seen.append(beat))
    await sender.publish(subject, BackUpNow())
    await sender.publish(subject, WorkerHeartbeat(worker=session, at=SystemClock().now()))
    await eventually(lambda: len(seen) == 1)
    assert listener.counts["bad_message"] == 1


async def test_a_listener_that_raises_is_counted_and_hears_the_next_message(bus: Bus, session: str) -> None:
    seen: list[int] = []

    async def hear(beat: WorkerHeartbeat, _: str) -> None:
        if beat.free_capacity == 0:
            raise RuntimeError("no")
        seen.append(beat.free_capacity)

    subject = subjects.telemetry("browser-worker", "heartbeat", session)
    await bus.subscribe(subject, WorkerHeartbeat, hear)
    for room in range(3):
        await bus.publish(subject, WorkerHeartbeat(worker=session, at=SystemClock().now(), free_capacity=room))
    await eventually(lambda: seen == [1, 2])
    assert bus.counts["handler_failed"] == 1


async def test_events_are_replayed_and_then_followed_in_order(bus: Bus, session: str) -> None:
    def cleared(epoch: int) -> SessionCleared:
        return SessionCleared(session=session, at=SystemClock().now(), epoch=epoch, unlinked=True)

    subject = subjects.event("session", "cleared", session)
    for epoch in range(5):
        await bus.publish_event(subject, cleared(epoch))
    seen: list[str] = []
    await bus.watch_events(lambda data, at: seen.append(data.decode()) if at == subject else None, since_seconds=60)
    await eventually(lambda: len(seen) == 5)
    await bus.publish_event(subject, cleared(5))
    await eventually(lambda: len(seen) == 6)
    assert [f'"epoch":{epoch}' in text for epoch, text in enumerate(seen)] == [True] * 6


# buckets


async def test_an_absent_key_is_none(bus: Bus, session: str) -> None:
    assert await bus.bucket(subjects.SESSIONS_BUCKET, SessionRecord).get(session) is None


async def test_what_was_put_is_read_with_its_revision(bus: Bus, session: str) -> None:
    bucket = bus.bucket(subjects.SESSIONS_BUCKET, SessionRecord)
    value = record(session)
    revision = await bucket.put(session, value)
    entry = await bucket.get(session)
    assert entry is not None
    assert (entry.value, entry.revision) == (value, revision)


async def test_create_refuses_a_present_key_and_takes_a_deleted_one(bus: Bus, session: str) -> None:
    bucket = bus.bucket(subjects.SESSIONS_BUCKET, SessionRecord)
    await bucket.create(session, record(session))
    with pytest.raises(Conflict):
        await bucket.create(session, record(session, 2))
    await bucket.delete(session)
    assert await bucket.get(session) is None
    revision = await bucket.create(session, record(session, 3))
    entry = await bucket.get(session)
    assert entry is not None
    assert (entry.revision, entry.value.request) == (revision, 3)


async def test_update_takes_only_the_newest_revision(bus: Bus, session: str) -> None:
    bucket = bus.bucket(subjects.SESSIONS_BUCKET, SessionRecord)
    first = await bucket.put(session, record(session))
    second = await bucket.update(session, record(session, 2), first)
    assert second > first
    with pytest.raises(Conflict):
        await bucket.update(session, record(session, 3), first)
    entry = await bucket.get(session)
    assert entry is not None
    assert entry.value.request == 2


async def test_of_many_writers_with_one_revision_exactly_one_wins(new_bus: NewBus, session: str) -> None:
    buckets = [(await new_bus()).bucket(subjects.SESSIONS_BUCKET, SessionRecord) for _ in range(4)]
    revision = await buckets[0].put(session, record(session))
    results = await asyncio.gather(
        *(bucket.update(session, record(session, n), revision) for n, bucket in enumerate(buckets * 3)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, int) for result in results) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 11


async def test_keys_are_those_present(bus: Bus, session: str) -> None:
    bucket = bus.bucket(subjects.SESSIONS_BUCKET, SessionRecord)
    for name in ("b", "a", "gone"):
        await bucket.put(f"{session}-{name}", record(session))
    await bucket.delete(f"{session}-gone")
    keys = [key for key in await bucket.keys() if key.startswith(session)]
    assert keys == [f"{session}-a", f"{session}-b"]


async def test_deleting_an_absent_key_is_no_error(bus: Bus, session: str) -> None:
    await bus.bucket(subjects.SESSIONS_BUCKET, SessionRecord).delete(session)


async def test_a_watch_gives_present_values_then_ready_then_changes(new_bus: NewBus, session: str) -> None:
    writer = (await new_bus()).bucket(subjects.SESSIONS_BUCKET, SessionRecord)
    reader = (await new_bus()).bucket(subjects.SESSIONS_BUCKET, SessionRecord)
    await writer.put(session, record(session, 1))
    seen: list[int | str | None] = []

    def note(key: str, value: SessionRecord | None) -> None:
        if key == session:
            seen.append(value.request if value else None)

    await reader.watch(note, on_ready=lambda: seen.append("ready"))
    await eventually(lambda: "ready" in seen)
    assert seen == [1, "ready"]
    await writer.put(session, record(session, 2))
    await eventually(lambda: seen == [1, "ready", 2])
    await writer.delete(session)
    await eventually(lambda: seen == [1, "ready", 2, None])
    await writer.put(session, record(session, 3))
    await eventually(lambda: seen == [1, "ready", 2, None, 3])


async def test_of_changes_in_quick_succession_a_watch_gives_the_newest_and_none_after_a_newer_one(
    new_bus: NewBus, session: str
) -> None:
    """A bucket holds only the newest value, so a watch may miss a value that was overtaken, but never the newest."""
    writer = (await new_bus()).bucket(subjects.SESSIONS_BUCKET, SessionRecord)
    reader = (await new_bus()).bucket(subjects.SESSIONS_BUCKET, SessionRecord)
    keys = [f"{session}-{number}" for number in range(5)]
    seen: dict[str, list[int]] = {key: [] for key in keys}
    ready: list[bool] = []

    def note(key: str, value: SessionRecord | None) -> None:
        if key in seen and value is not None:
            seen[key].append(value.request)

    async def write(key: str) -> None:
        for request in range(1, 41):
            await writer.put(key, record(session, request))

    writing = [asyncio.create_task(write(key)) for key in keys]
    await reader.watch(note, on_ready=lambda: ready.append(True))
    await asyncio.gather(*writing)
    await eventually(lambda: ready and all(requests[-1:] == [40] for requests in seen.values()))
    assert all(requests == sorted(set(requests)) for requests in seen.values())
    assert ready == [True]


async def test_a_watch_of_an_empty_bucket_is_ready_at_once(new_bus: NewBus) -> None:
    bus = await new_bus()
    bucket = bus.bucket(subjects.LEASES_BUCKET, SessionRecord)
    ready = asyncio.Event()
    await bucket.watch(lambda _key, _value: None, on_ready=ready.set)
    await asyncio.wait_for(ready.wait(), 5)


async def test_a_watcher_that_raises_hears_the_next_change(bus: Bus, session: str) -> None:
    bucket = bus.bucket(subjects.SESSIONS_BUCKET, SessionRecord)
    seen: list[int] = []

    async def note(key: str, value: SessionRecord | None) -> None:
        if key != session or value is None:
            return
        if value.request == 1:
            raise RuntimeError("no")
        seen.append(value.request)

    await bucket.watch(note)
    await bucket.put(session, record(session, 1))
    await bucket.put(session, record(session, 2))
    await eventually(lambda: seen == [2])


async def test_a_stopped_watch_is_silent(bus: Bus, session: str) -> None:
    bucket = bus.bucket(subjects.SESSIONS_BUCKET, SessionRecord)
    seen: list[str] = []
    other: list[str] = []
    watch = await bucket.watch(lambda key, _: seen.append(key))
    await bucket.put(session, record(session))
    await eventually(lambda: session in seen)
    await watch.stop()
    seen.clear()
    await bucket.watch(lambda key, _: other.append(key))
    await bucket.put(session, record(session, 2))
    await eventually(lambda: session in other)
    assert session not in seen
