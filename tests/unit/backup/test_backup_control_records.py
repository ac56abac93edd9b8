"""A control record counts only where this service has written it: head and tombstone, their MAC and their place."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup.adapters.encryption import MasterKeys
from backup.domain.control_records import (
    Head,
    RejectedRecord,
    SigningKeys,
    TombstoneRecord,
    sign_head,
    sign_tombstone,
    verify_head,
    verify_tombstone,
)
from shared.contracts.backups import RecordFault

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
OLD, NEW = bytes(range(32)), bytes(range(32, 64))
KEYS = MasterKeys(OLD).signing
HEAD = Head(session="shop", sequence=3, epoch=7, owner="w", nonce="n", updated_at=NOW)
TOMBSTONE = TombstoneRecord(session="shop", sequence=2, epoch=7, tombstoned_at=NOW)


def fault_of_head(data: bytes, session: str = "shop", keys: SigningKeys = KEYS) -> RecordFault:
    with pytest.raises(RejectedRecord) as rejected:
        verify_head(data, session, keys)
    return rejected.value.fault


def fault_of_tombstone(data: bytes, session: str = "shop", keys: SigningKeys = KEYS) -> RecordFault:
    with pytest.raises(RejectedRecord) as rejected:
        verify_tombstone(data, session, keys)
    return rejected.value.fault


def test_what_was_written_reads_back() -> None:
    head = verify_head(sign_head(HEAD, KEYS), "shop", KEYS)
    assert (head.epoch, head.owner, head.nonce, head.updated_at, head.sequence) == (7, "w", "n", NOW, 3)
    tombstone = verify_tombstone(sign_tombstone(TOMBSTONE, KEYS), "shop", KEYS)
    assert (tombstone.epoch, tombstone.tombstoned_at, tombstone.sequence) == (7, NOW, 2)


@pytest.mark.parametrize("bit", [1, 128])
def test_a_flipped_byte_in_a_head_is_always_found(bit: int) -> None:
    data = sign_head(HEAD, KEYS)
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= bit
        fault_of_head(bytes(flipped))


@pytest.mark.parametrize("bit", [1, 128])
def test_a_flipped_byte_in_a_tombstone_never_changes_what_it_says(bit: int) -> None:
    data = sign_tombstone(TOMBSTONE, KEYS)
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= bit
        assert verify_tombstone(bytes(flipped), "shop", KEYS).epoch == 7


@given(st.binary(max_size=300))
def test_garbage_is_unverified_and_never_a_crash(data: bytes) -> None:
    assert fault_of_head(data) is RecordFault.UNVERIFIED
    assert fault_of_tombstone(data) is RecordFault.UNVERIFIED


def test_a_very_long_object_is_not_even_parsed() -> None:
    line = sign_tombstone(TOMBSTONE, KEYS)
    assert fault_of_tombstone(line + b"\n" * 2**20) is RecordFault.UNVERIFIED
    assert fault_of_head(sign_head(HEAD, KEYS) + b" " * 2**20) is RecordFault.UNVERIFIED


fields = st.fixed_dictionaries(
    {},
    optional={
        "format": st.integers(1, 3),
        "session": st.sampled_from(["shop", "other"]),
        "sequence": st.integers(0, 2**40),
        "epoch": st.integers(0, 2**40),
        "owner": st.text(max_size=5),
        "nonce": st.text(max_size=5),
        "updated_at": st.just("2099-01-01T00:00:00Z"),
        "mac": st.one_of(st.just(""), st.text("0123456789abcdef", min_size=64, max_size=64), st.text(max_size=5)),
        "extra": st.integers(),
    },
)


@given(fields)
def test_nobody_else_can_change_a_field(changes: dict[str, object]) -> None:
    genuine = json.loads(sign_head(HEAD, KEYS))
    forged = {**genuine, **changes}
    if forged == genuine:
        return
    fault_of_head(json.dumps(forged).encode())


def test_a_self_made_checksum_proves_nothing() -> None:
    bare = msgspec.json.encode(msgspec.structs.replace(HEAD, epoch=10**9 - 1, master=KEYS.present))
    forged = json.loads(bare) | {"mac": hashlib.sha256(bare).hexdigest()}
    assert fault_of_head(json.dumps(forged).encode()) is RecordFault.UNVERIFIED


def test_a_record_of_another_session_or_kind_is_swapped() -> None:
    assert fault_of_head(sign_head(HEAD, KEYS), session="other") is RecordFault.SWAPPED
    assert fault_of_tombstone(sign_tombstone(TOMBSTONE, KEYS), session="other") is RecordFault.SWAPPED
    assert fault_of_tombstone(sign_head(HEAD, KEYS)) is RecordFault.SWAPPED
    assert fault_of_head(sign_tombstone(TOMBSTONE, KEYS).split(b"\n")[0]) is RecordFault.SWAPPED


def test_a_record_of_another_master_key_is_foreign_and_the_previous_key_verifies() -> None:
    old = sign_head(HEAD, KEYS)
    assert fault_of_head(old, keys=MasterKeys(NEW).signing) is RecordFault.FOREIGN
    changing = MasterKeys(NEW, [OLD]).signing
    read = verify_head(old, "shop", changing)
    anew = sign_head(read, changing)
    assert fault_of_head(anew) is RecordFault.FOREIGN
    assert verify_head(anew, "shop", MasterKeys(NEW).signing).epoch == 7


def test_of_two_whole_lines_the_newer_one_counts() -> None:
    older = sign_tombstone(TOMBSTONE, KEYS).split(b"\n")[0]
    newer = msgspec.structs.replace(TOMBSTONE, epoch=9, sequence=3, tombstoned_at=NOW + timedelta(days=1))
    line = sign_tombstone(newer, KEYS).split(b"\n")[0]
    for mixed in (older + b"\n" + line + b"\n", line + b"\n" + older + b"\n"):
        assert verify_tombstone(mixed, "shop", KEYS).epoch == 9


def test_the_keys_do_not_show() -> None:
    assert KEYS.secrets[KEYS.present].hex() not in repr(KEYS)
    assert "secrets" not in repr(KEYS)
