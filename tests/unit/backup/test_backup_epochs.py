"""Who may store: claims and rebuilt heads."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from backup.domain.control_records import Head
from backup.domain.epochs import decide_claim, rebuilt_epoch

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
epochs = st.integers(0, 1000)
heads = st.none() | st.builds(
    Head,
    session=st.just("shop"),
    sequence=st.just(1),
    epoch=epochs,
    owner=st.just("o"),
    nonce=st.sampled_from(["a", "b"]),
    updated_at=st.just(NOW),
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
    assert claim.epoch > highest, "an old head that was put back must not lower the epoch"


@given(heads, epochs, epochs, st.integers(0, 1000))
def test_the_same_claim_again_gets_the_same_epoch(head: Head | None, highest: int, cleared: int, at_least: int) -> None:
    first = decide_claim(head, highest_stored=highest, tombstone_epoch=cleared, nonce="a", at_least=at_least)
    written = Head(session="shop", sequence=1, epoch=first.epoch, owner="o", nonce="a", updated_at=NOW)
    again = decide_claim(written, highest_stored=highest, tombstone_epoch=cleared, nonce="a", at_least=at_least)
    assert again.epoch == first.epoch
    assert not again.write


@given(epochs, epochs)
def test_a_rebuilt_head_is_not_below_any_backup(highest: int, asked: int) -> None:
    assert rebuilt_epoch(highest_stored=highest, asked=asked) >= highest
