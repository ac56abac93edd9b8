"""Who may store: claims, heads and tombstones."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup.domain.epochs import (
    DamagedRecord,
    Head,
    TombstoneRecord,
    decide_claim,
    decode_head,
    decode_tombstone,
    encode_head,
    encode_tombstone,
    rebuilt_epoch,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
epochs = st.integers(0, 1000)
heads = st.none() | st.builds(
    Head, epoch=epochs, owner=st.just("o"), nonce=st.sampled_from(["a", "b"]), updated_at=st.just(NOW)
)


@given(heads, epochs, epochs, st.integers(0, 1000))
def test_a_claim_is_never_below_the_lease_nor_at_the_tombstone(
    head: Head | None, highest: int, cleared: int, at_least: int
) -> None:
    claim = decide_claim(head, highest_stored=highest, tombstone_epoch=cleared, nonce="a", at_least=at_least)
    assert claim.epoch >= at_least
    assert claim.epoch > cleared


@given(heads, epochs, epochs, st.integers(0, 1000))
def test_a_claim_of_another_nonce_is_above_the_head_or_above_all_backups(
    head: Head | None, highest: int, cleared: int, at_least: int
) -> None:
    claim = decide_claim(head, highest_stored=highest, tombstone_epoch=cleared, nonce="new", at_least=at_least)
    assert claim.write
    assert claim.epoch > (head.epoch if head else highest)


@given(heads, epochs, epochs, st.integers(0, 1000))
def test_the_same_claim_again_gets_the_same_epoch(head: Head | None, highest: int, cleared: int, at_least: int) -> None:
    first = decide_claim(head, highest_stored=highest, tombstone_epoch=cleared, nonce="a", at_least=at_least)
    written = Head(epoch=first.epoch, owner="o", nonce="a", updated_at=NOW)
    again = decide_claim(written, highest_stored=highest, tombstone_epoch=cleared, nonce="a", at_least=at_least)
    assert again.epoch == first.epoch
    assert not again.write


@given(epochs, epochs)
def test_a_rebuilt_head_is_not_below_any_backup(highest: int, asked: int) -> None:
    assert rebuilt_epoch(highest_stored=highest, asked=asked) >= highest


def test_what_was_written_reads_back() -> None:
    head = decode_head(encode_head(Head(epoch=7, owner="w", nonce="n", updated_at=NOW)))
    assert (head.epoch, head.owner, head.nonce, head.updated_at) == (7, "w", "n", NOW)
    tombstone = decode_tombstone(encode_tombstone(TombstoneRecord(epoch=7, tombstoned_at=NOW)))
    assert (tombstone.epoch, tombstone.tombstoned_at) == (7, NOW)


@pytest.mark.parametrize("bit", [1, 128])
def test_a_flipped_byte_in_a_head_is_always_found(bit: int) -> None:
    data = encode_head(Head(epoch=7, owner="w", nonce="n", updated_at=NOW))
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= bit
        with pytest.raises(DamagedRecord):
            decode_head(bytes(flipped))


@pytest.mark.parametrize("bit", [1, 128])
def test_a_flipped_byte_in_a_tombstone_never_changes_what_it_says(bit: int) -> None:
    data = encode_tombstone(TombstoneRecord(epoch=7, tombstoned_at=NOW))
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= bit
        assert decode_tombstone(bytes(flipped)).epoch == 7


@given(st.binary(max_size=300))
def test_garbage_is_damage_and_never_a_crash(data: bytes) -> None:
    with pytest.raises(DamagedRecord):
        decode_head(data)
    with pytest.raises(DamagedRecord):
        decode_tombstone(data)
