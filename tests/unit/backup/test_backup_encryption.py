"""Encryption: what does not belong does not decrypt."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backup.adapters.encryption import (
    ForeignMasterKey,
    MasterKeys,
    decompress,
    decrypt_body,
    decrypt_chunk,
    encrypt_body,
    encrypt_chunk,
)
from backup.domain.manifests import decode_key, encode_key
from backup.domain.records import DamagedRecord
from backup.ports import DataKey
from shared.contracts.snapshots import CHUNK_BYTES, digest

KEY = DataKey("k1", os.urandom(32))
MASTER_KEYS = MasterKeys(os.urandom(32))


@given(st.binary(max_size=5000), st.integers(1, 100))
def test_a_chunk_decrypts_to_what_was_encrypted(seed: bytes, times: int) -> None:
    chunk = (seed * times)[:CHUNK_BYTES]
    record, compressed = encrypt_chunk(KEY, "shop", digest(chunk), chunk)
    assert decrypt_chunk(KEY, "shop", digest(chunk), record, compressed=compressed) == chunk


def test_what_zstd_cannot_shrink_is_stored_as_it_is() -> None:
    chunk = os.urandom(CHUNK_BYTES)
    record, compressed = encrypt_chunk(KEY, "shop", digest(chunk), chunk)
    assert not compressed
    assert len(record) == len(chunk) + 28
    assert encrypt_chunk(KEY, "shop", digest(b"a" * 9999), b"a" * 9999)[1]


@settings(max_examples=60)
@given(st.data())
def test_a_flipped_byte_anywhere_in_a_record_is_found(data: st.DataObject) -> None:
    chunk = b"profile " * 50
    record, compressed = encrypt_chunk(KEY, "shop", digest(chunk), chunk)
    place = data.draw(st.integers(0, len(record) - 1))
    flipped = bytearray(record)
    flipped[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DamagedRecord):
        decrypt_chunk(KEY, "shop", digest(chunk), bytes(flipped), compressed=compressed)


def test_a_record_decrypts_only_for_its_session_key_and_chunk() -> None:
    chunk = b"x" * 100
    record, compressed = encrypt_chunk(KEY, "shop", digest(chunk), chunk)
    for key, session, name in (
        (KEY, "other", digest(chunk)),
        (KEY, "shop", digest(b"y")),
        (DataKey("k2", KEY.secret), "shop", digest(chunk)),
        (DataKey("k1", os.urandom(32)), "shop", digest(chunk)),
    ):
        with pytest.raises(DamagedRecord):
            decrypt_chunk(key, session, name, record, compressed=compressed)


def test_the_same_chunk_is_never_encrypted_the_same_way_twice() -> None:
    assert encrypt_chunk(KEY, "shop", digest(b"x"), b"x") != encrypt_chunk(KEY, "shop", digest(b"x"), b"x")


def test_a_manifest_moved_to_another_name_does_not_decrypt() -> None:
    ciphertext = encrypt_body(KEY, "shop", "g1", "b1", b"body")
    assert decrypt_body(KEY, "shop", "g1", "b1", ciphertext) == b"body"
    for place in (("other", "g1", "b1"), ("shop", "g2", "b1"), ("shop", "g1", "b2")):
        with pytest.raises(DamagedRecord):
            decrypt_body(KEY, *place, ciphertext)


def test_a_data_key_decrypts_with_its_master_and_with_no_other() -> None:
    wrapped = MASTER_KEYS.wrap("shop", KEY)
    assert MASTER_KEYS.unwrap("shop", decode_key(encode_key(wrapped))) == KEY
    with pytest.raises(ForeignMasterKey):
        MasterKeys(os.urandom(32)).unwrap("shop", wrapped)
    with pytest.raises(DamagedRecord):
        MASTER_KEYS.unwrap("other", wrapped)


def test_a_key_of_the_previous_master_decrypts_and_is_wrapped_by_the_new_one() -> None:
    old, new = os.urandom(32), os.urandom(32)
    both = MasterKeys(new, [old])
    assert both.unwrap("shop", MasterKeys(old).wrap("shop", KEY)) == KEY
    assert MasterKeys(new).unwrap("shop", both.wrap("shop", KEY)) == KEY


def test_secrets_do_not_show() -> None:
    assert KEY.secret.hex() not in repr(KEY)
    assert repr(KEY.secret)[2:10] not in repr(KEY)


def test_compressed_bytes_that_would_grow_without_end_are_refused() -> None:
    import zstandard

    bomb = zstandard.compress(bytes(50_000_000))
    with pytest.raises(DamagedRecord):
        decompress(bomb, 1_000_000)
