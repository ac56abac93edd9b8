"""The bucket as `docs/snapshot-format.md` documents it, and no second place that spells its keys."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from backup_support import Owner, Replica, days
from documented_keys import DOCUMENTED_KEYS
from memory_object_store import MemoryObjectStore

from backup.domain import layout
from shared.contracts.errors import NotFound
from shared.testing import FakeClock

SIGNED = ["format", "kind", "session", "sequence", "master", "mac", "epoch"]
"""The first fields of every control record."""
ROOT = Path(__file__).parents[3]
SPELLERS = {
    ROOT / "services/backup/src/backup/domain/layout.py",
    ROOT / "tests/integration/backup/support/documented_keys.py",
    Path(__file__),
}
SPELLED = re.compile(
    r"^sessions/[a-z0-9-]*/?$|/(packs|manifests|proofs)/|^(packs|manifests|proofs)/|head\.json|tombstone\.json|^probes/"
)
PARTS = re.compile(r"sessions|packs|manifests|proofs|keys|head\.json|tombstone\.json|probes")
SPELLED_IN_PRODUCT = re.compile(rf"{SPELLED.pattern}|^(packs|manifests|proofs|keys)$")
"""The backup service must not compare the parts of a key either."""


async def test_every_documented_kind_of_key_is_written_and_no_other() -> None:
    clock = FakeClock()
    store = MemoryObjectStore(clock)
    replica = Replica(store, clock, Owner(clock))
    await replica.claim("shop")
    await replica.back_up("shop", {"a": b"1"})
    await replica.epochs.write_tombstone("shop", 1)
    clock.advance(days(1).total_seconds())
    stored = await replica.back_up("shop", {"a": b"2" * 999}, epoch=await replica.claim("shop", nonce="n2"))
    pack = next(
        key for key, listed in store.objects.items() if "/packs/" in key and listed.bytes == stored.stored_bytes
    )
    store.data[pack] = bytes(len(store.data[pack]))
    with pytest.raises(NotFound):
        await Replica(store, clock, replica.owner).restore("shop", stored.backup)
    entry = (await replica.repository.list_backups("shop")).entries[0]
    await store.write(layout.proof("shop", entry.ref.generation, entry.ref.id, "drilled"), b"drilled")
    used = {key: [pattern for pattern in DOCUMENTED_KEYS if re.fullmatch(pattern, key)] for key in store.data}
    assert all(len(patterns) == 1 for patterns in used.values()), used
    assert {pattern for patterns in used.values() for pattern in patterns} == set(DOCUMENTED_KEYS)


async def test_the_head_and_the_tombstone_have_the_documented_fields_in_order() -> None:
    clock = FakeClock()
    store = MemoryObjectStore(clock)
    replica = Replica(store, clock, Owner(clock))
    await replica.claim("shop")
    await replica.epochs.write_tombstone("shop", 1)
    head = json.loads(store.data["sessions/shop/head.json"])
    assert list(head) == [*SIGNED, "owner", "nonce", "updated_at"]
    one, two, rest = store.data["sessions/shop/tombstone.json"].split(b"\n")
    assert one == two
    assert rest == b""
    assert list(json.loads(one)) == [*SIGNED, "tombstoned_at"]


def test_no_second_place_spells_the_keys_of_the_bucket() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {text!r}"
        for folder in ("services", "shared", "deploy", "tests")
        for path in (ROOT / folder).rglob("*.py")
        if path not in SPELLERS
        for text in literals(path)
        if spells_a_key(path, text)
    }
    assert not found


def spells_a_key(path: Path, text: str) -> bool:
    product = path.is_relative_to(ROOT / "services/backup/src")
    return bool((SPELLED_IN_PRODUCT if product else SPELLED).search(text))


@pytest.mark.parametrize(
    "text", ["sessions/", "sessions/shop/", "/manifests/", "a/packs/b", "x/head.json", "tombstone.json", "probes/"]
)
def test_the_search_finds_a_spelled_key(text: str) -> None:
    assert spells_a_key(ROOT / "tests/x.py", text)


def literals(path: Path) -> Iterator[str]:
    """The string literals of a module, without its docstrings."""
    source = path.read_text(encoding="utf-8")
    if not PARTS.search(source):
        return  # parsing every module would take seconds
    tree = ast.parse(source)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value
