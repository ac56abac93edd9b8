"""The bus when NATS is killed, frozen, cut off or robbed of its data."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from shared.bus import Bus, Call, Lease, Outcome, create_streams
from shared.clock import SystemClock
from shared.contracts import subjects
from shared.contracts.commands import BACK_UP_NOW, CHECK, Accepted, BackUpNow
from shared.contracts.errors import TimedOut, Unavailable
from shared.contracts.events import SessionCleared
from shared.contracts.sessions import LeaseRecord, SessionRecord
from shared.contracts.telemetry import WorkerHeartbeat
from shared.testing import FaultProxy, NatsServer, eventually, options_for_tests

CLOCK = SystemClock()
SUBJECT = subjects.command(BACK_UP_NOW, "shop")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    """A server of this test's own, to be killed."""
    nats = NatsServer()
    try:
        yield nats.start(tmp_path / "nats")
    finally:
        nats.kill()


@pytest.fixture
async def buses(server: NatsServer) -> AsyncIterator[list[Bus]]:
    """Closed after the test."""
    made: list[Bus] = []
    yield made
    for bus in made:
        await bus.drain(timeout=1.0)


async def connect(buses: list[Bus], url: str) -> Bus:
    buses.append(await Bus.connect(options_for_tests(url), clock=CLOCK, wait_seconds=10.0))
    return buses[-1]


async def lose_everything(server: NatsServer, bus: Bus) -> None:
    server.stop()
    await eventually(lambda: not bus.connected)
    server.lose_data()
    server.restart()
    await eventually(lambda: bus.connected)


def record(session: str, request: int = 1) -> SessionRecord:
    return SessionRecord(session=session, desired="running", requested_at=CLOCK.now(), request=request)


class Counting:
    """A handler that remembers which commands it executed."""

    def __init__(self) -> None:
        self.executed: list[str] = []

    async def __call__(self, _: BackUpNow, call: Call) -> Accepted:
        self.executed.append(call.command_id)
        return Accepted()


async def test_a_request_that_timed_out_in_an_outage_is_not_executed_afterwards(
    server: NatsServer, buses: list[Bus]
) -> None:
    worker, gateway = await connect(buses, server.url), await connect(buses, server.url)
    handler = Counting()
    await worker.serve(SUBJECT, BackUpNow, handler)
    server.process.freeze()
    with pytest.raises(TimedOut):
        await gateway.request(SUBJECT, BackUpNow(), Accepted, timeout=0.5, command_id="in the outage")
    server.process.thaw()

    async def answered() -> bool:
        try:
            return bool(await gateway.request(SUBJECT, BackUpNow(), Accepted, timeout=2.0, command_id="afterwards"))
        except (Unavailable, TimedOut):
            return False

    await eventually(answered, timeout=20.0)
    assert "in the outage" not in handler.executed
    assert "afterwards" in handler.executed


async def test_a_request_while_disconnected_fails_at_once_and_is_never_sent_later(
    server: NatsServer, buses: list[Bus]
) -> None:
    bus = await connect(buses, server.url)
    handler = Counting()
    await bus.serve(SUBJECT, BackUpNow, handler)
    server.kill()
    await eventually(lambda: not bus.connected)
    started = CLOCK.monotonic()
    with pytest.raises(Unavailable):
        await bus.request(SUBJECT, BackUpNow(), Accepted, timeout=5, command_id="in the outage")
    assert CLOCK.monotonic() - started < 0.1
    server.restart()
    await eventually(lambda: bus.connected)
    await bus.request(SUBJECT, BackUpNow(), Accepted, timeout=5, command_id="afterwards")
    assert handler.executed == ["afterwards"]


async def test_servers_and_listeners_go_on_after_nats_was_killed(server: NatsServer, buses: list[Bus]) -> None:
    worker, gateway = await connect(buses, server.url), await connect(buses, server.url)
    heard: list[int] = []
    await worker.serve(SUBJECT, BackUpNow, Counting())
    await gateway.subscribe("wa.tel.>", WorkerHeartbeat, lambda beat, _: heard.append(beat.free_capacity))
    lost, back = asyncio.Event(), asyncio.Event()

    def raises() -> None:
        raise RuntimeError("a callback must not end the reconnecting")

    gateway.on_lost(raises)
    gateway.on_lost(lost.set)
    gateway.on_back(back.set)
    server.kill()
    await asyncio.wait_for(lost.wait(), 5.0)
    subject = subjects.telemetry("browser-worker", "heartbeat", "w")
    await eventually(lambda: not worker.connected)
    await worker.publish(subject, WorkerHeartbeat(worker="w", at=CLOCK.now(), free_capacity=1))
    assert worker.counts["dropped"] == 1
    server.restart()
    await asyncio.wait_for(back.wait(), 10.0)
    await eventually(lambda: worker.connected)
    await gateway.request(SUBJECT, BackUpNow(), Accepted, timeout=5)
    await worker.publish(subject, WorkerHeartbeat(worker="w", at=CLOCK.now(), free_capacity=2))
    await eventually(lambda: heard == [2])


async def test_a_frozen_server_is_noticed_although_the_socket_is_full(server: NatsServer, buses: list[Bus]) -> None:
    bus = await connect(buses, server.url)
    lost = asyncio.Event()
    bus.on_lost(lost.set)
    server.process.freeze()
    writing = asyncio.create_task(_flood(bus))
    await asyncio.wait_for(lost.wait(), 15.0)
    await asyncio.wait_for(writing, 5.0)
    server.process.thaw()
    await eventually(lambda: bus.connected, timeout=15.0)
    await bus.serve(SUBJECT, BackUpNow, Counting())
    await bus.request(SUBJECT, BackUpNow(), Accepted, timeout=5)


async def _flood(bus: Bus) -> None:
    beat = WorkerHeartbeat(worker="w" * 500_000, at=CLOCK.now())
    for _ in range(40):
        await bus.publish("wa.tel.browser-worker.heartbeat.w", beat)


@pytest.mark.parametrize("mode", ["cut", "hang", "refuse"])
async def test_a_broken_network_is_survived(server: NatsServer, buses: list[Bus], mode: str) -> None:
    with FaultProxy(server.url, cut_after_bytes=0) as proxy:
        bus = await connect(buses, proxy.url)
        await bus.serve(SUBJECT, BackUpNow, Counting())
        proxy.mode = mode
        await eventually(lambda: not bus.connected, timeout=15.0)
        proxy.mode = "pass"
        await eventually(lambda: bus.connected, timeout=15.0)
        await bus.request(SUBJECT, BackUpNow(), Accepted, timeout=5)
        await bus.drain()


async def test_a_server_that_closes_with_an_error_is_connected_again(server: NatsServer, buses: list[Bus]) -> None:
    bus = await connect(buses, server.url)
    await bus.serve(SUBJECT, BackUpNow, Counting())
    back = asyncio.Event()
    bus.on_back(back.set)
    client = bus._transport._client  # type: ignore[attr-defined]
    await client._process_err("'maximum connections exceeded'")  # what nats-py closes a connection for, for ever
    await asyncio.wait_for(back.wait(), 10.0)
    await bus.request(SUBJECT, BackUpNow(), Accepted, timeout=5)


async def test_nats_that_comes_late_is_waited_for(server: NatsServer, buses: list[Bus]) -> None:
    server.stop()
    connecting = asyncio.create_task(connect(buses, server.url))
    await asyncio.sleep(0.3)
    assert not connecting.done()
    server.restart()
    assert (await asyncio.wait_for(connecting, 10.0)).connected


async def test_connect_gives_up_in_time_when_nats_never_comes(server: NatsServer) -> None:
    server.stop()
    started = CLOCK.monotonic()
    with pytest.raises(Unavailable):
        await Bus.connect(options_for_tests(server.url), clock=CLOCK, wait_seconds=0.5)
    assert CLOCK.monotonic() - started < 3.0


async def test_drain_without_nats_ends_soon(server: NatsServer, buses: list[Bus]) -> None:
    bus = await connect(buses, server.url)
    await create_streams(bus)
    await bus.serve(SUBJECT, BackUpNow, Counting())
    await bus.bucket(subjects.SESSIONS_BUCKET, SessionRecord).watch(lambda _key, _value: None)
    server.kill()
    started = CLOCK.monotonic()
    await bus.drain()
    assert CLOCK.monotonic() - started < 3.0


async def test_drain_with_a_frozen_nats_ends_soon(server: NatsServer, buses: list[Bus]) -> None:
    bus = await connect(buses, server.url)
    for session in range(10):
        await bus.serve(subjects.command(CHECK, str(session)), BackUpNow, Counting())
    server.process.freeze()
    started = CLOCK.monotonic()
    await bus.drain(timeout=3.0)
    assert CLOCK.monotonic() - started < 6.0
    server.process.thaw()


# buckets and events


async def test_a_bucket_that_cannot_be_asked_is_not_an_empty_one(server: NatsServer, buses: list[Bus]) -> None:
    bus = await connect(buses, server.url)
    bucket = bus.bucket(subjects.SESSIONS_BUCKET, SessionRecord)
    with pytest.raises(Unavailable):
        await bucket.get("shop")
    with pytest.raises(Unavailable):
        await bucket.keys()
    with pytest.raises(Unavailable):
        await bucket.put("shop", record("shop"))
    await create_streams(bus)
    assert await bucket.get("shop") is None
    server.process.freeze()
    with pytest.raises(Unavailable):
        await bucket.get("shop")
    server.process.thaw()


async def test_buckets_of_every_kind_keep_their_values_over_a_restart(server: NatsServer, buses: list[Bus]) -> None:
    bus = await connect(buses, server.url)
    await create_streams(bus)
    names = (subjects.SESSIONS_BUCKET, subjects.STATUS_BUCKET, subjects.LEASES_BUCKET)
    for name in names:
        await bus.bucket(name, SessionRecord).put("shop", record("shop", 7))
    server.kill()
    await eventually(lambda: not bus.connected)
    server.restart()
    await eventually(lambda: bus.connected)
    for name in names:
        entry = await bus.bucket(name, SessionRecord).get("shop")
        assert entry is not None
        assert entry.value.request == 7


async def test_a_watch_survives_a_restart_that_lost_the_data(server: NatsServer, buses: list[Bus]) -> None:
    bus = await connect(buses, server.url)
    await create_streams(bus)
    bucket = bus.bucket(subjects.SESSIONS_BUCKET, SessionRecord)
    seen: list[tuple[str, int | None]] = []
    ready: list[bool] = []
    await bucket.put("kept", record("kept", 1))
    await bucket.put("gone", record("gone", 1))
    await bucket.watch(
        lambda key, value: seen.append((key, value.request if value else None)), on_ready=lambda: ready.append(True)
    )
    await eventually(lambda: ready)
    await lose_everything(server, bus)
    seen.clear()
    await create_streams(bus)
    await bucket.put("kept", record("kept", 2))
    await eventually(lambda: ("kept", 2) in seen and ("gone", None) in seen, timeout=15.0)
    assert len(ready) == 2
    await bucket.put("new", record("new", 3))
    await eventually(lambda: ("new", 3) in seen)


async def test_a_watch_misses_nothing_over_many_short_cuts(server: NatsServer, buses: list[Bus]) -> None:
    writer = await connect(buses, server.url)
    await create_streams(writer)
    bucket = writer.bucket(subjects.SESSIONS_BUCKET, SessionRecord)
    with FaultProxy(server.url, cut_after_bytes=0) as proxy:
        reader = await connect(buses, proxy.url)
        newest: dict[str, int] = {}
        await reader.bucket(subjects.SESSIONS_BUCKET, SessionRecord).watch(
            lambda key, value: newest.update({key: value.request if value else 0})
        )
        for number in range(1, 41):
            await bucket.put(f"s{number % 4}", record("s", number))
            if number % 10 == 0:
                proxy.mode = "cut"
                await eventually(lambda: not reader.connected)
                proxy.mode = "pass"
        await eventually(lambda: newest == {"s0": 40, "s1": 37, "s2": 38, "s3": 39}, timeout=15.0)
        await reader.drain()


async def test_no_event_comes_twice_or_is_missed_over_a_restart_and_lost_data_starts_anew(
    server: NatsServer, buses: list[Bus]
) -> None:
    bus = await connect(buses, server.url)
    await create_streams(bus)
    seen: list[str] = []
    await bus.watch_events(lambda _data, subject: seen.append(subjects.session_of(subject)), since_seconds=3600)

    async def publish(session: str) -> None:
        event = SessionCleared(session=session, at=CLOCK.now(), epoch=1, unlinked=True)
        await bus.publish_event(subjects.event("session", "cleared", session), event)

    await publish("one")
    await publish("two")
    await eventually(lambda: seen == ["one", "two"])
    server.kill()
    await eventually(lambda: not bus.connected)
    with pytest.raises(Unavailable):
        await publish("lost")
    server.restart()
    await eventually(lambda: bus.connected)
    await publish("three")
    await eventually(lambda: seen == ["one", "two", "three"])
    await lose_everything(server, bus)
    await create_streams(bus)
    await publish("four")
    await eventually(lambda: seen == ["one", "two", "three", "four"], timeout=15.0)


# the lease over a real NATS

TTL = 1.5


async def lease(bus: Bus, owner: str) -> Lease:
    return Lease(bus.bucket(subjects.LEASES_BUCKET, LeaseRecord), "shop", owner=owner, clock=CLOCK, ttl=TTL)


async def test_a_released_lease_is_handed_over_at_once(server: NatsServer, buses: list[Bus]) -> None:
    first_bus, second_bus = await connect(buses, server.url), await connect(buses, server.url)
    await create_streams(first_bus)
    first, second = await lease(first_bus, "first"), await lease(second_bus, "second")
    assert await first.acquire() == 1
    acquiring = asyncio.create_task(second.acquire())
    await asyncio.sleep(TTL / 4)
    assert not acquiring.done()
    started = CLOCK.monotonic()
    await first.release()
    assert await acquiring == 2
    assert CLOCK.monotonic() - started < 0.3


async def test_a_crashed_owner_is_replaced_after_a_ttl_and_not_sooner(server: NatsServer, buses: list[Bus]) -> None:
    first_bus, second_bus = await connect(buses, server.url), await connect(buses, server.url)
    await create_streams(first_bus)
    first, second = await lease(first_bus, "first"), await lease(second_bus, "second")
    await first.acquire()
    started = CLOCK.monotonic()
    assert await second.acquire() == 2
    assert TTL * 0.99 < CLOCK.monotonic() - started < TTL * 2
    assert await first.renew() is Outcome.LOST


async def test_an_outage_of_nats_longer_than_the_ttl_changes_no_owner(server: NatsServer, buses: list[Bus]) -> None:
    first_bus, second_bus = await connect(buses, server.url), await connect(buses, server.url)
    await create_streams(first_bus)
    first, second = await lease(first_bus, "first"), await lease(second_bus, "second")
    await first.acquire()
    outcomes: list[Outcome] = []
    maintaining = asyncio.create_task(first.maintain(lambda outcome, _seconds: outcomes.append(outcome)))
    acquiring = asyncio.create_task(second.acquire())
    server.kill()
    await eventually(lambda: outcomes.count(Outcome.UNKNOWN) >= 12, timeout=20.0)
    server.restart()
    await eventually(lambda: outcomes[-1] is Outcome.HELD, timeout=10.0)
    held_from = len(outcomes)
    await eventually(lambda: len(outcomes) >= held_from + 12, timeout=20.0)
    assert Outcome.LOST not in outcomes
    assert not acquiring.done()
    maintaining.cancel()
    acquiring.cancel()


async def test_a_frozen_owner_learns_that_it_was_replaced(server: NatsServer, buses: list[Bus]) -> None:
    with FaultProxy(server.url) as proxy:
        first_bus, second_bus = await connect(buses, proxy.url), await connect(buses, server.url)
        await create_streams(second_bus)
        first, second = await lease(first_bus, "first"), await lease(second_bus, "second")
        await first.acquire()
        outcomes: list[tuple[Outcome, float]] = []
        maintaining = asyncio.create_task(first.maintain(lambda outcome, seconds: outcomes.append((outcome, seconds))))
        proxy.mode = "hang"
        assert await asyncio.wait_for(second.acquire(), 10.0) == 2
        assert [seconds for outcome, seconds in outcomes if outcome is Outcome.UNKNOWN][-1] > TTL / 2
        proxy.mode = "pass"
        await asyncio.wait_for(maintaining, 20.0)
        assert outcomes[-1][0] is Outcome.LOST
        await first_bus.drain()
