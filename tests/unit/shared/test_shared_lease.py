"""The lease on a fake clock and a bucket in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.bus import Lease, Outcome
from shared.contracts.message import SIGNATURE, encode
from shared.contracts.sessions import LeaseRecord
from shared.testing import FakeClock, MemoryBucket
from shared.testing.fake_clock import run_ready_tasks

TTL = 6.0
KEY = "shop"


@pytest.fixture
def time() -> FakeClock:
    return FakeClock()


@pytest.fixture
def bucket() -> MemoryBucket[LeaseRecord]:
    return MemoryBucket(LeaseRecord)


@pytest.fixture
async def competing() -> AsyncIterator[set[asyncio.Task[int]]]:
    tasks: set[asyncio.Task[int]] = set()
    yield tasks
    for task in tasks:
        task.cancel()


def lease(bucket: MemoryBucket[LeaseRecord], time: FakeClock, owner: str, *, at_least: int = 0) -> Lease:
    return Lease(bucket, KEY, owner=owner, clock=time, ttl=TTL, at_least_epoch=at_least)


async def record_in(bucket: MemoryBucket[LeaseRecord]) -> LeaseRecord:
    entry = await bucket.get(KEY)
    assert entry is not None
    return entry.value


async def test_a_free_lease_is_taken_at_once(bucket: MemoryBucket[LeaseRecord], time: FakeClock) -> None:
    mine = lease(bucket, time, "a")
    assert await mine.acquire() == 1
    assert await record_in(bucket) == LeaseRecord(owner="a", nonce=mine.nonce, epoch=1)


async def test_the_epoch_is_above_the_one_anchored_in_the_write(
    bucket: MemoryBucket[LeaseRecord], time: FakeClock
) -> None:
    assert await lease(bucket, time, "a", at_least=41).acquire() == 42


async def test_a_held_lease_is_not_taken_while_it_is_renewed(
    bucket: MemoryBucket[LeaseRecord], time: FakeClock, competing: set[asyncio.Task[int]]
) -> None:
    mine = lease(bucket, time, "a")
    await mine.acquire()
    maintaining = asyncio.create_task(mine.maintain(lambda _outcome, _seconds: None))
    other = asyncio.create_task(lease(bucket, time, "b").acquire())
    competing.update({other})
    await time.pass_time(60.0)
    maintaining.cancel()
    assert not other.done()
    assert (await record_in(bucket)).owner == "a"


async def test_a_crashed_owner_is_replaced_only_after_a_whole_ttl(
    bucket: MemoryBucket[LeaseRecord], time: FakeClock, competing: set[asyncio.Task[int]]
) -> None:
    await lease(bucket, time, "a").acquire()
    other = asyncio.create_task(lease(bucket, time, "b").acquire())
    competing.add(other)
    await time.pass_time(TTL - 0.3)
    assert not other.done()
    await time.pass_time(0.6)
    assert other.done()
    assert other.result() == 2


async def test_a_released_lease_is_taken_at_the_next_look(
    bucket: MemoryBucket[LeaseRecord], time: FakeClock, competing: set[asyncio.Task[int]]
) -> None:
    mine = lease(bucket, time, "a", at_least=9)
    await mine.acquire()
    other = asyncio.create_task(lease(bucket, time, "b").acquire())
    competing.add(other)
    await time.pass_time(1.0)
    await mine.release()
    assert (await record_in(bucket)).epoch == 10
    await time.pass_time(TTL / 24)
    assert other.result() == 11


async def test_an_outage_of_nats_starts_the_observation_anew(
    bucket: MemoryBucket[LeaseRecord], time: FakeClock, competing: set[asyncio.Task[int]]
) -> None:
    await lease(bucket, time, "a").acquire()
    other = asyncio.create_task(lease(bucket, time, "b").acquire())
    competing.add(other)
    await time.pass_time(TTL - 1.0)
    bucket.data.lost = True
    await time.pass_time(12.0)
    bucket.data.lost = False
    await time.pass_time(TTL - 0.5)
    assert not other.done()
    await time.pass_time(1.0)
    assert other.done()


async def test_a_renewal_during_an_outage_is_unknown_and_the_lease_is_held_afterwards(
    bucket: MemoryBucket[LeaseRecord], time: FakeClock
) -> None:
    mine = lease(bucket, time, "a")
    await mine.acquire()
    bucket.data.lost = True
    assert await mine.renew() is Outcome.UNKNOWN
    time.advance(2.0)
    assert mine.seconds_since_renewal == 2.0
    bucket.data.lost = False
    assert await mine.renew() is Outcome.HELD
    assert mine.seconds_since_renewal == 0.0


async def test_a_lost_acknowledgement_does_not_cost_the_lease(
    bucket: MemoryBucket[LeaseRecord], time: FakeClock
) -> None:
    mine = lease(bucket, time, "a")
    await mine.acquire()
    bucket.data.lose_acks = 1
    assert await mine.renew() is Outcome.UNKNOWN
    assert await mine.renew() is Outcome.HELD
    assert await mine.renew() is Outcome.HELD


async def test_a_lost_acknowledgement_while_acquiring_is_recognised_by_the_nonce(
    bucket: MemoryBucket[LeaseRecord], time: FakeClock
) -> None:
    bucket.data.lose_acks = 1
    acquiring = asyncio.create_task(lease(bucket, time, "a").acquire())
    await time.pass_time(1.0)
    assert acquiring.result() == 1


async def test_a_renewal_found_after_a_lost_acknowledgement_counts_from_a_new_write(
    bucket: MemoryBucket[LeaseRecord], time: FakeClock
) -> None:
    mine = lease(bucket, time, "a")
    await mine.acquire()
    bucket.data.lose_acks = 1
    await mine.renew()
    before = bucket.data.revision
    time.advance(5.0)
    await mine.renew()
    assert bucket.data.revision == before + 1
    assert mine.seconds_since_renewal == 0.0


async def test_the_lease_is_lost_when_another_nonce_holds_it(
    bucket: MemoryBucket[LeaseRecord], time: FakeClock
) -> None:
    mine = lease(bucket, time, "a")
    await mine.acquire()
    await bucket.put(KEY, LeaseRecord(owner="b", nonce="other", epoch=2))
    outcomes: list[Outcome] = []
    await mine.maintain(lambda outcome, _seconds: outcomes.append(outcome))
    assert outcomes == [Outcome.LOST]
    assert await mine.renew() is Outcome.LOST
    await mine.release()
    assert (await record_in(bucket)).nonce == "other"


async def test_a_restarted_owner_waits_for_the_lease_of_its_former_process(
    bucket: MemoryBucket[LeaseRecord], time: FakeClock, competing: set[asyncio.Task[int]]
) -> None:
    await lease(bucket, time, "a").acquire()
    again = asyncio.create_task(lease(bucket, time, "a").acquire())
    competing.add(again)
    await time.pass_time(TTL / 2)
    assert not again.done()


async def test_an_owner_writes_its_record_again_when_nats_lost_its_data(
    bucket: MemoryBucket[LeaseRecord], time: FakeClock, competing: set[asyncio.Task[int]]
) -> None:
    mine = lease(bucket, time, "a")
    await mine.acquire()
    other = asyncio.create_task(lease(bucket, time, "b").acquire())
    competing.add(other)
    await time.pass_time(1.0)
    bucket.data.lose_data()
    await time.pass_time(0.5)  # a standby that has seen the record does not jump in
    assert await mine.renew() is Outcome.HELD
    await time.pass_time(TTL - 1.0)
    assert not other.done()
    assert (await record_in(bucket)).owner == "a"


async def test_a_raised_epoch_is_written_and_survives_the_release(
    bucket: MemoryBucket[LeaseRecord], time: FakeClock
) -> None:
    mine = lease(bucket, time, "a")
    await mine.acquire()
    await mine.raise_epoch(7)
    assert (await record_in(bucket)).epoch == 7
    await mine.raise_epoch(3)
    assert mine.epoch == 7
    await mine.release()
    assert await lease(bucket, time, "b").acquire() == 8


async def test_a_release_without_nats_does_not_raise(bucket: MemoryBucket[LeaseRecord], time: FakeClock) -> None:
    mine = lease(bucket, time, "a")
    await mine.acquire()
    bucket.data.lost = True
    await mine.release()
    assert await mine.renew() is Outcome.LOST


async def test_maintain_renews_six_times_a_ttl_and_reports_the_seconds_since_the_last_success(
    bucket: MemoryBucket[LeaseRecord], time: FakeClock
) -> None:
    mine = lease(bucket, time, "a")
    await mine.acquire()
    outcomes: list[tuple[Outcome, float]] = []
    maintaining = asyncio.create_task(mine.maintain(lambda outcome, seconds: outcomes.append((outcome, seconds))))
    await time.pass_time(2.5)
    bucket.data.lost = True
    await time.pass_time(2.0)
    maintaining.cancel()
    assert outcomes == [
        (Outcome.HELD, 0.0), (Outcome.HELD, 0.0), (Outcome.HELD, 0.0), (Outcome.UNKNOWN, 1.0), (Outcome.UNKNOWN, 2.0),
    ]  # fmt: skip


STEPS = st.lists(
    st.tuples(st.sampled_from(["crash", "stall", "release", "outage", "lost_ack", "nothing"]), st.floats(0.1, 15.0)),
    max_size=12,
)


@given(steps=STEPS)
@settings(max_examples=60, deadline=None)
def test_two_owners_never_trust_the_lease_at_the_same_time_and_epochs_only_grow(
    steps: list[tuple[str, float]],
) -> None:
    asyncio.run(_compete(steps))


async def _compete(steps: list[tuple[str, float]]) -> None:
    """Three owners; each acts on its lease only while its last success is younger than the TTL, as a worker does."""
    time, bucket = FakeClock(), MemoryBucket(LeaseRecord)
    epochs: list[int] = []
    leases = [lease(bucket, time, name) for name in "abc"]
    holding: dict[str, Lease] = {}

    async def live(mine: Lease, name: str) -> None:
        while True:
            epochs.append(await mine.acquire())
            holding[name] = mine
            await mine.maintain(lambda outcome, seconds: check())
            holding.pop(name, None)

    def check() -> None:
        trusting = [name for name, held in holding.items() if held.seconds_since_renewal < TTL]
        assert len(trusting) <= 1, trusting

    lives = {name: asyncio.create_task(live(mine, name)) for name, mine in zip("abc", leases, strict=True)}
    await run_ready_tasks()
    for what, seconds in steps:
        holder = next((name for name in holding if name in lives), None)
        if what == "crash" and holder:
            lives[holder].cancel()
            await run_ready_tasks()
            check()
            holding.pop(holder)
            lives[holder] = asyncio.create_task(live(lease(bucket, time, holder), holder))
        elif what == "stall" and holder:  # its owner stands still and trusts it until the TTL is over
            lives[holder].cancel()
            await run_ready_tasks()
            holding[f"{holder} stalled at {time.monotonic()}"] = holding.pop(holder)
            lives[holder] = asyncio.create_task(live(lease(bucket, time, holder), holder))
        elif what == "release" and holder:
            lives[holder].cancel()
            await run_ready_tasks()
            mine = holding.pop(holder)
            await mine.release()
            lives[holder] = asyncio.create_task(live(mine, holder))
        elif what == "lost_ack":
            bucket.data.lose_acks = 1
        bucket.data.lost = what == "outage"
        for _ in range(int(seconds / 0.5) + 1):
            await time.pass_time(0.5)
            check()
    for task in lives.values():
        assert not task.done() or task.cancelled()
        task.cancel()
    await run_ready_tasks()
    assert epochs == sorted(set(epochs))


class SlowBucket(MemoryBucket[LeaseRecord]):
    """Its acknowledgements take two seconds."""

    clock: FakeClock

    async def _write(self, key: str, data: bytes, headers: Mapping[str, str]) -> int:
        revision = await super()._write(key, data, headers)
        self.clock.advance(2.0)
        return revision


async def test_a_renewal_counts_from_when_it_was_sent_not_from_its_acknowledgement(time: FakeClock) -> None:
    bucket = SlowBucket(LeaseRecord)
    bucket.clock = time
    mine = lease(bucket, time, "a")
    await mine.acquire()
    assert mine.seconds_since_renewal == 2.0
    await mine.renew()
    assert mine.seconds_since_renewal == 2.0


# records that no worker has signed


GARBAGE = b'{"type": "io.nats.jetstream.api.v1.stream_info_response"}'


def forge(bucket: MemoryBucket[LeaseRecord], record: LeaseRecord | None = None) -> None:
    """What whoever makes NATS answer into the bucket can put there; `record` is a copy without its signature."""
    bucket.data.write(KEY, encode(record) if record else GARBAGE, {})


async def test_the_owner_writes_over_a_record_that_no_worker_has_signed_and_stays_the_owner(
    bucket: MemoryBucket[LeaseRecord], time: FakeClock, competing: set[asyncio.Task[int]]
) -> None:
    mine = lease(bucket, time, "a")
    await mine.acquire()
    outcomes: list[Outcome] = []
    maintaining = asyncio.create_task(mine.maintain(lambda outcome, _seconds: outcomes.append(outcome)))
    other = asyncio.create_task(lease(bucket, time, "b").acquire())
    competing.update({other})
    forged = LeaseRecord(owner="c", nonce="n", epoch=999, released=True)
    for number in range(60):
        forge(bucket, forged if number % 2 else None)
        await time.pass_time(0.9)
    maintaining.cancel()
    assert set(outcomes) == {Outcome.HELD}
    assert not other.done()
    assert (await record_in(bucket)).owner == "a"
    assert mine.epoch == 1


@pytest.mark.parametrize("released", [True, False])
async def test_a_record_that_no_worker_has_signed_is_not_a_free_lease_and_passes_on_after_a_ttl(
    bucket: MemoryBucket[LeaseRecord], time: FakeClock, competing: set[asyncio.Task[int]], *, released: bool
) -> None:
    forge(bucket, LeaseRecord(owner="c", nonce="n", epoch=999, released=released))
    other = lease(bucket, time, "b")
    taking = asyncio.create_task(other.acquire())
    competing.add(taking)
    await time.pass_time(TTL - 0.3)
    assert not taking.done()
    await time.pass_time(1.0)
    assert taking.done()
    assert other.epoch == 1  # the forged epoch fences nobody


async def test_a_deletion_that_no_worker_has_signed_is_no_free_lease(
    bucket: MemoryBucket[LeaseRecord], time: FakeClock, competing: set[asyncio.Task[int]]
) -> None:
    await lease(bucket, time, "a").acquire()
    bucket.data.write(KEY, b"", {"KV-Operation": "DEL"})
    taking = asyncio.create_task(lease(bucket, time, "b").acquire())
    competing.add(taking)
    await time.pass_time(TTL - 0.3)
    assert not taking.done()


async def test_an_earlier_released_record_that_comes_back_is_not_taken_at_once(
    bucket: MemoryBucket[LeaseRecord], time: FakeClock, competing: set[asyncio.Task[int]]
) -> None:
    first = lease(bucket, time, "a")
    await first.acquire()
    await first.release()
    earlier = bucket.data.values[KEY]
    await lease(bucket, time, "b").acquire()
    taking = asyncio.create_task(lease(bucket, time, "c").acquire())
    competing.add(taking)
    await time.pass_time(1.0)
    bucket.data.write(KEY, earlier.data, {SIGNATURE: earlier.headers[SIGNATURE]})
    await time.pass_time(TTL - 0.5)
    assert not taking.done()
