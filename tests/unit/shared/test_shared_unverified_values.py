"""A value that its writer has not signed is unknown: not changed, not absent, not deleted."""

from __future__ import annotations

import pytest

from shared.bus import Conflict, UnverifiedValue
from shared.bus.buckets import EXPECTED, read_headers
from shared.clock import SystemClock
from shared.contracts.message import SIGNATURE, encode
from shared.contracts.sessions import SessionRecord
from shared.testing import MemoryBucket, eventually

Seen = list[tuple[str, str | None]]


@pytest.fixture
def bucket() -> MemoryBucket[SessionRecord]:
    return MemoryBucket(SessionRecord)


def record(session: str, desired: str = "running") -> SessionRecord:
    return SessionRecord(session=session, desired=desired, requested_at=SystemClock().now())


async def watched(bucket: MemoryBucket[SessionRecord], unverified: list[tuple[str, int]]) -> Seen:
    seen: Seen = []
    await bucket.watch(
        lambda key, value: seen.append((key, value.desired if value else None)),
        on_ready=lambda: seen.append(("ready", None)),
        on_unverified=lambda key, revision: unverified.append((key, revision)),
    )
    await eventually(lambda: ("ready", None) in seen)
    return seen


FORGERIES = {
    "a value": (encode(record("shop", "cleared")), {}),
    "a deletion": (b"", {"KV-Operation": "DEL"}),
    "a marker of the server": (b"", {"Nats-Marker-Reason": "MaxAge"}),
    "nothing": (b"", {}),
    "a signature of nobody": (encode(record("shop", "cleared")), {SIGNATURE: "gateway AAAA"}),
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_watch_leaves_a_known_key_as_it_was_also_when_it_begins_again(
    bucket: MemoryBucket[SessionRecord], forgery: str
) -> None:
    await bucket.put("shop", record("shop"))
    unverified: list[tuple[str, int]] = []
    seen = await watched(bucket, unverified)
    assert seen == [("shop", "running"), ("ready", None)]
    data, headers = FORGERIES[forgery]
    revision = bucket.data.write("shop", data, headers)
    bucket.data.restart_watches()
    await eventually(lambda: seen.count(("ready", None)) == 2)
    assert set(seen) == {("shop", "running"), ("ready", None)}
    assert ("shop", None) not in seen
    assert set(unverified) == {("shop", revision)}
    await bucket.update("shop", record("shop", "stopped"), revision)
    await eventually(lambda: seen[-1] == ("shop", "stopped"))


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_reader_is_told_that_it_is_unknown_and_a_writer_may_write_over_it(
    bucket: MemoryBucket[SessionRecord], forgery: str
) -> None:
    data, headers = FORGERIES[forgery]
    revision = bucket.data.write("shop", data, headers)
    with pytest.raises(UnverifiedValue) as caught:
        await bucket.get("shop")
    assert caught.value.revision == revision
    with pytest.raises((UnverifiedValue, Conflict)):
        await bucket.create("shop", record("shop"))
    await bucket.update("shop", record("shop"), revision)
    entry = await bucket.get("shop")
    assert entry is not None


async def test_a_true_deletion_is_a_deletion_and_its_signature_covers_that(bucket: MemoryBucket[SessionRecord]) -> None:
    await bucket.put("shop", record("shop"))
    seen = await watched(bucket, [])
    await bucket.delete("shop")
    await eventually(lambda: seen[-1] == ("shop", None))
    assert await bucket.get("shop") is None
    marker = bucket.data.values["shop"]
    bucket.data.write("shop", marker.data, {SIGNATURE: marker.headers[SIGNATURE]})
    with pytest.raises(UnverifiedValue):
        await bucket.get("shop")


async def test_the_condition_of_a_write_is_no_part_of_what_is_signed(bucket: MemoryBucket[SessionRecord]) -> None:
    revision = await bucket.create("shop", record("shop"))
    assert EXPECTED in bucket.data.values["shop"].headers
    assert revision == 1
    assert await bucket.get("shop") is not None


@pytest.mark.parametrize(
    ("block", "headers"),
    [
        (b"", {}),
        (b"NATS/1.0\r\n\r\n", {}),
        (b"NATS/1.0\r\nWa-Signature: gateway abc=\r\nX:y\r\n\r\n", {"Wa-Signature": "gateway abc=", "X": "y"}),
        (b"NATS/1.0\r\nno colon\r\n\xff: \xfe\r\n\r\n", {"no colon": "", "�": "�"}),
    ],
)
def test_headers_are_read_as_nats_stores_them(block: bytes, headers: dict[str, str]) -> None:
    assert read_headers(block) == headers
