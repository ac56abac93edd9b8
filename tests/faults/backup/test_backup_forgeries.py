"""Whoever can write to the bucket: generated forgeries and planted names never fence, never delete, never lower an
epoch and never hide a backup that opens."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import pytest
from backup_support import Owner, Replica, Tree, days, is_of, keys_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_object_store import MemoryObjectStore

from backup.adapters.encryption import MasterKeys
from backup.domain import layout
from backup.domain.control_records import Head, TombstoneRecord, sign_head, sign_tombstone
from backup.domain.generations import GenerationPolicy
from backup.domain.layout import ObjectKind
from backup.domain.manifests import WrappedKey, encode_key, frame
from shared.contracts.errors import Fenced, Unavailable
from shared.testing import FakeClock

SESSION, OTHER = "shop", "other"
OLD: Tree = {"Default/a": b"old " * 300, "Default/b": b"text"}
NEW: Tree = {"Default/a": b"new " * 300, "Default/b": b"text"}
FOREIGN = bytes(range(100, 132))


@dataclass
class Bucket:
    """A bucket with two sessions, one of them cleared once, and the older versions of its control records."""

    clock: FakeClock = field(default_factory=FakeClock)
    versions: dict[str, list[bytes]] = field(default_factory=dict)
    trees: dict[str, Tree] = field(default_factory=dict)
    epoch: int = 0

    def __post_init__(self) -> None:
        self.store = MemoryObjectStore(self.clock)

    def replica(self) -> Replica:
        return Replica(self.store, self.clock, Owner(self.clock), generations=GenerationPolicy(max_age=days(1)))

    async def fill(self) -> None:
        replica = self.replica()
        await replica.claim(OTHER, at_least=900)
        await replica.back_up(OTHER, {"x": b"1"}, epoch=900)
        await replica.epochs.write_tombstone(OTHER, 900)
        await replica.claim(SESSION)
        await replica.back_up(SESSION, {"cleared": b"1"})
        self._note()
        await replica.epochs.write_tombstone(SESSION, 1)
        for tree, hours in ((OLD, 25), (NEW, 1)):
            self.clock.advance(60)
            self.epoch = await replica.claim(SESSION, nonce=f"n{hours}")
            self._note()
            self.trees[(await replica.back_up(SESSION, tree, epoch=self.epoch)).backup] = tree
            self.clock.advance(hours * 3600)

    def _note(self) -> None:
        for key in keys_of(self.store, ObjectKind.HEAD, ObjectKind.TOMBSTONE):
            self.versions.setdefault(key, []).append(self.store.data[key])

    def copy(self) -> Bucket:
        other = copy.copy(self)
        other.clock = FakeClock()
        other.clock.advance((self.clock.now() - other.clock.now()).total_seconds())
        other.store = MemoryObjectStore(other.clock, objects=dict(self.store.objects), data=dict(self.store.data))
        return other

    async def put(self, key: str, data: bytes) -> None:
        await self.store.write(key, data)


async def _filled() -> Bucket:
    bucket = Bucket()
    await bucket.fill()
    return bucket


FILLED = asyncio.run(_filled())
GENERATIONS = sorted({ref.generation for key in FILLED.store.data if (ref := layout.parse_key(key)) and ref.generation})
MANIFESTS = keys_of(FILLED.store, ObjectKind.MANIFEST)
Attack = Callable[[Bucket], tuple[str, bytes]]
"""What a stranger writes: a key, and the bytes there."""

HEAD, TOMBSTONE = layout.head(SESSION), layout.tombstone(SESSION)
epochs = st.one_of(st.integers(0, 12), st.integers(10**8, 10**9), st.integers(0, 9_999_999_999))
sessions = st.sampled_from([SESSION, OTHER, "a-third"])


def _head(epoch: int, session: str) -> Head:
    return Head(session=session, sequence=99, epoch=epoch, owner="x", nonce="x", updated_at=FILLED.clock.now())


def _tombstone(epoch: int, session: str) -> TombstoneRecord:
    return TombstoneRecord(session=session, sequence=99, epoch=epoch, tombstoned_at=FILLED.clock.now())


def _self_signed(record: msgspec.Struct) -> bytes:
    """With a checksum of one's own making, under the name of the real master key."""
    named = msgspec.structs.replace(record, master=MasterKeys(bytes(range(32))).name)
    return msgspec.json.encode(
        msgspec.structs.replace(named, mac=hashlib.sha256(msgspec.json.encode(named)).hexdigest())
    )


def _foreign_manifest(key: str) -> bytes:
    return frame(encode_key(WrappedKey(key=key, master="f" * 16, wrapped=b"x" * 60)), b"body" * 20)


FOREIGN_KEYS = MasterKeys(FOREIGN).signing
records = st.one_of(
    st.binary(max_size=200),
    st.builds(_self_signed, st.builds(_head, epochs, sessions)),
    st.builds(_self_signed, st.builds(_tombstone, epochs, sessions)),
    st.builds(lambda epoch, session: sign_head(_head(epoch, session), FOREIGN_KEYS), epochs, sessions),
    st.builds(lambda epoch, session: sign_tombstone(_tombstone(epoch, session), FOREIGN_KEYS), epochs, sessions),
    st.builds(lambda key: FILLED.store.data[key], st.sampled_from([layout.head(OTHER), layout.tombstone(OTHER)])),
    st.builds(lambda kind: FILLED.store.data[kind], st.sampled_from([HEAD, TOMBSTONE])),
    st.builds(
        lambda key, cut, flip: _mutated(FILLED.store.data[key], cut, flip),
        st.sampled_from([HEAD, TOMBSTONE]),
        st.integers(1, 400),
        st.integers(0, 10_000),
    ),
)
"""Everything that a stranger can put in the place of a control record, but older versions of it."""


def _mutated(data: bytes, cut: int, flip: int) -> bytes:
    changed = bytearray(data[:cut])
    changed[flip % len(changed)] ^= 1 + flip % 255
    return bytes(changed)


names = st.builds(
    lambda epoch, sequence, year: f"{epoch:010d}-{sequence:08d}-{year:04d}0101T000000000Z",
    epochs,
    st.one_of(st.integers(0, 9), st.integers(99_999_990, 99_999_999)),
    st.integers(2000, 9999),
)
generations = st.one_of(st.sampled_from(GENERATIONS), st.sampled_from(["99991231T000000Z-00000000"]))
contents = st.one_of(
    st.binary(max_size=64),
    st.builds(lambda key: FILLED.store.data[key], st.sampled_from(MANIFESTS)),
    st.builds(_foreign_manifest, st.sampled_from(["20260101T000000Z-00000000", "99991231T235959Z-00000000"])),
)
planted_manifests = st.builds(
    lambda generation, name, data: (layout.manifest(SESSION, generation, name), data), generations, names, contents
)
planted_keys = st.builds(
    lambda name, master: (
        layout.data_key(SESSION, name),
        encode_key(WrappedKey(key=name, master=master, wrapped=b"x" * 60)),
    ),
    st.sampled_from(["99991231T235959Z-00000000", "20260101T000000Z-00000000"]),
    st.sampled_from(["f" * 16, MasterKeys(bytes(range(32))).name]),
)
planted_heads = records.map(lambda data: (HEAD, data))
"""Anything in the place of the head."""
attacks = st.lists(st.one_of(planted_heads, planted_manifests, planted_keys), min_size=1, max_size=6)


def genuine(bucket: Bucket) -> set[str]:
    """The objects that hold backups, as they were before the attack."""
    return {key for key in FILLED.store.data if is_of(key, ObjectKind.MANIFEST, ObjectKind.PACK, ObjectKind.DATA_KEY)}


async def under_attack(writes: list[tuple[str, bytes]]) -> Bucket:
    bucket = FILLED.copy()
    for key, data in writes:
        if key in FILLED.store.data and key not in (HEAD, TOMBSTONE):
            continue  # that would be a deletion, which whoever can write to the bucket can always do
        await bucket.put(key, data)
    return bucket


async def refusal(replica: Replica) -> str | None:
    """The code with which the listing is refused."""
    try:
        await replica.backups(SESSION)
    except Unavailable as error:
        return error.code
    return None


async def left_after_maintenance(bucket: Bucket, years: float = 0) -> set[str]:
    bucket.clock.advance(years * 365 * 86400)
    await bucket.replica().maintenance.maintain(SESSION)
    return genuine(bucket) & set(bucket.store.data)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(attacks)
def test_planted_objects_never_fence_delete_hide_or_lower(writes: list[tuple[str, bytes]]) -> None:
    async def run() -> None:
        bucket = await under_attack(writes)
        cold = bucket.replica()
        listed = {entry.id: entry.state for entry in (await cold.backups(SESSION)).backups}
        assert {name: listed[name] for name in FILLED.trees} == dict.fromkeys(FILLED.trees, "scrubbed")
        for name, tree in FILLED.trees.items():
            assert await cold.restore(SESSION, name) == tree
        for years in (0, 1):
            assert await left_after_maintenance(bucket.copy(), years) >= await left_after_maintenance(
                FILLED.copy(), years
            )
        with pytest.raises(Fenced):
            await cold.back_up(SESSION, {"late": b"1"}, epoch=FILLED.epoch - 1)
        stored = await cold.back_up(SESSION, {**NEW, "more": b"1"}, epoch=FILLED.epoch)
        assert await cold.restore(SESSION, stored.backup) == {**NEW, "more": b"1"}
        assert stored.new_chunks <= 1 + len(NEW)
        again = await cold.back_up(SESSION, {**NEW, "more": b"2"}, epoch=FILLED.epoch)
        assert again.new_chunks == 1, "a planted name makes every backup a full one"
        next_epoch = await bucket.replica().claim(SESSION, nonce="next")
        assert next_epoch == FILLED.epoch + 1, "an epoch is neither lowered nor raised by others"

    asyncio.run(run())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(records, st.booleans())
def test_what_lies_in_the_place_of_the_tombstone_clears_and_deletes_nothing(data: bytes, cleared: bool) -> None:
    """`cleared`: whether the session ever was."""

    async def run() -> None:
        bucket = await under_attack([(TOMBSTONE, data)])
        if not cleared:
            await bucket.put(TOMBSTONE, data)
        replica = bucket.replica()
        clean = FILLED.copy().replica()
        assert await left_after_maintenance(bucket.copy(), 1) >= await left_after_maintenance(FILLED.copy(), 1)
        refused = await refusal(replica)
        if refused is None:
            listed, expected = await replica.backups(SESSION), await clean.backups(SESSION)
            assert listed.backups == expected.backups, "another tombstone than the real one was believed"
            assert (listed.tombstone_epoch, listed.tombstoned_at) == (expected.tombstone_epoch, expected.tombstoned_at)
        else:
            assert refused == "tombstone_unverified"
            assert replica.reports.rejected_
            shown = await replica.reader.backups(SESSION, for_a_person=True)
            assert shown.tombstone_unverified
            assert set(FILLED.trees) <= {entry.id for entry in shown.backups}
        assert (await replica.back_up(SESSION, {"a": b"1"}, epoch=FILLED.epoch)).backup

    asyncio.run(run())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 5), st.booleans())
def test_an_older_head_that_is_put_back_neither_fences_nor_lowers(version: int, cold: bool) -> None:
    """A replica that has seen the newer one names it; a cold one is told by the owner's epoch and by the backups."""

    async def run() -> None:
        bucket = FILLED.copy()
        replica = bucket.replica()
        await replica.epochs.admit(SESSION, FILLED.epoch)
        old = FILLED.versions[HEAD][version % len(FILLED.versions[HEAD])]
        is_older = json.loads(old)["epoch"] < FILLED.epoch
        await bucket.put(HEAD, old)
        if cold:
            replica = bucket.replica()
        with pytest.raises(Fenced):
            await replica.back_up(SESSION, {"late": b"1"}, epoch=FILLED.epoch - 1)
        assert (await replica.back_up(SESSION, {"a": b"1"}, epoch=FILLED.epoch)).backup
        assert (("head", "rolled_back") in replica.reports.rejected_) is is_older
        assert await bucket.replica().claim(SESSION, nonce="next") == FILLED.epoch + 1

    asyncio.run(run())


async def test_an_old_tombstone_or_none_is_not_believed_where_a_newer_one_was_seen() -> None:
    bucket = FILLED.copy()
    replica = bucket.replica()
    old = bucket.store.data[TOMBSTONE]
    await replica.backups(SESSION)
    await replica.epochs.write_tombstone(SESSION, FILLED.epoch)
    assert {entry.state for entry in (await replica.backups(SESSION)).backups} == {"cleared"}
    await bucket.put(TOMBSTONE, old)
    assert {entry.state for entry in (await replica.backups(SESSION)).backups} == {"cleared"}
    await bucket.store.delete([TOMBSTONE])
    assert {entry.state for entry in (await replica.backups(SESSION)).backups} == {"cleared"}
    assert replica.reports.rejected_ == [("tombstone", "rolled_back"), ("tombstone", "missing")]


async def test_all_deleted_with_a_foreign_manifest_planted_is_unknown_and_never_absent() -> None:
    bucket = FILLED.copy()
    await bucket.store.delete(sorted(bucket.store.data))
    await bucket.put(layout.manifest(SESSION, GENERATIONS[0], MANIFESTS[0].split("/")[-1]), _foreign_manifest("x"))
    with pytest.raises(Unavailable) as error:
        await bucket.replica().backups(SESSION)
    assert error.value.code == "wrong_master_key"


async def test_foreign_manifests_beside_a_head_that_verifies_stop_no_backup() -> None:
    bucket = FILLED.copy()
    await bucket.store.delete(MANIFESTS)
    await bucket.put(MANIFESTS[0], _foreign_manifest("20260101T000000Z-00000000"))
    replica = bucket.replica()
    stored = await replica.back_up(SESSION, NEW, epoch=FILLED.epoch)
    assert await replica.restore(SESSION, stored.backup) == NEW
    assert await bucket.replica().claim(SESSION, nonce="next") == FILLED.epoch + 1


async def test_losses_are_told_once_and_retention_is_no_loss() -> None:
    bucket = FILLED.copy()
    replica = bucket.replica()
    await replica.backups(SESSION)
    bucket.clock.advance(30 * 86400)
    for number in range(30):
        await replica.back_up(SESSION, {"n": str(number).encode()}, epoch=FILLED.epoch)
        bucket.clock.advance(300)
        await replica.maintenance.maintain(SESSION)
    assert replica.reports.removed_[0] > 10
    assert replica.reports.lost_ == []
    good = [entry.id for entry in (await replica.backups(SESSION)).backups if entry.kept_because]
    manifests = [key for key in keys_of(bucket.store, ObjectKind.MANIFEST) if key.split("/")[-1] in good[1:4]]
    await bucket.store.delete(manifests)
    await replica.backups(SESSION)
    await replica.backups(SESSION)
    assert replica.reports.lost_ == [3]
    await bucket.store.delete(keys_of(bucket.store, ObjectKind.PACK))
    await replica.backups(SESSION)
    assert replica.reports.lost_ == [3, len(good) - 3]


async def test_a_clear_is_no_loss() -> None:
    bucket = FILLED.copy()
    replica = bucket.replica()
    await replica.backups(SESSION)
    await replica.epochs.write_tombstone(SESSION, FILLED.epoch)
    bucket.clock.advance(25 * 3600)
    await replica.maintenance.maintain(SESSION)
    assert (await replica.backups(SESSION)).backups == ()
    assert replica.reports.lost_ == []


async def test_one_session_that_cannot_be_read_keeps_no_other_from_retention() -> None:
    bucket = FILLED.copy()
    bucket.clock.advance(25 * 3600)

    class Broken(MemoryObjectStore):
        async def list_objects(self, prefix: str):  # type: ignore[no-untyped-def]
            if prefix == layout.session_prefix("a-first"):
                raise Unavailable("this one cannot be listed")
            return await super().list_objects(prefix)

    bucket.store = Broken(bucket.clock, objects=bucket.store.objects, data=bucket.store.data)
    await bucket.put(layout.head("a-first"), b"x")
    replica = bucket.replica()
    await replica.maintenance.maintain_all()
    assert replica.reports.removed_[0] > 0


async def test_a_change_of_the_master_key_signs_anew_and_the_old_key_verifies_until_then() -> None:
    bucket = FILLED.copy()
    old, new = bytes(range(32)), bytes(range(32, 64))
    changing = Replica(bucket.store, bucket.clock, Owner(bucket.clock), master=new, previous=(old,))
    await changing.epochs.admit(SESSION, FILLED.epoch)
    before = await changing.backups(SESSION)
    assert "cleared" in {entry.state for entry in before.backups}
    await changing.maintenance.maintain_all()
    assert changing.reports.rejected_ == []
    after = Replica(bucket.store, bucket.clock, Owner(bucket.clock), master=new)
    await after.epochs.admit(SESSION, FILLED.epoch)
    assert (await after.backups(SESSION)).tombstone_epoch == before.tombstone_epoch
    for name, tree in FILLED.trees.items():
        assert await after.restore(SESSION, name) == tree
