from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_profile import edit, log_bytes, make_database, table_bytes

from browser_worker.adapters.profile.leveldb_check import check_database, never_opened, records


@pytest.fixture
def database(tmp_path: Path) -> Path:
    make_database(tmp_path / "db", table_sizes=(5000, 70_000))
    return tmp_path / "db"


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x40
    path.write_bytes(data)


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def test_a_whole_database_has_no_problems(database: Path) -> None:
    assert check_database(database) == []


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda db: (db / "CURRENT").write_bytes(b""), "CURRENT is empty"),
        (lambda db: (db / "CURRENT").unlink(), "CURRENT is missing"),
        (lambda db: (db / "CURRENT").write_bytes(b"MANI"), "CURRENT names no manifest"),
        (lambda db: (db / "CURRENT").write_bytes(b"MANIFEST-000007\n"), "MANIFEST-000007 is missing"),
        (lambda db: (db / "MANIFEST-000001").unlink(), "MANIFEST-000001 is missing"),
        (lambda db: (db / "MANIFEST-000001").write_bytes(b""), "MANIFEST-000001 is cut short"),
        (lambda db: cut(db / "MANIFEST-000001", 20), "MANIFEST-000001 is cut short"),
        (lambda db: flip(db / "MANIFEST-000001", 12), "MANIFEST-000001 is damaged: a record has a wrong checksum"),
        (lambda db: cut(db / "000006.ldb", 40_000), "000006.ldb has 40000 bytes instead of 70091"),
        (lambda db: (db / "000005.ldb").unlink(), "000005.ldb is missing"),
        (lambda db: flip(db / "000005.ldb", -1), "000005.ldb has no footer"),
        (lambda db: flip(db / "000005.ldb", 5020), "000005.ldb has a damaged index"),
        (lambda db: flip(db / "000005.ldb", 5001), "000005.ldb has a damaged meta index"),
        (lambda db: (db / "000004.log").unlink(), "000004.log is missing"),
        (lambda db: flip(db / "000004.log", 10), "000004.log is damaged: a record has a wrong checksum"),
    ],
)
def test_damage_is_found_and_named(database: Path, damage: Callable[[Path], object], problem: str) -> None:
    damage(database)
    assert check_database(database) == [problem]


def test_tables_that_a_later_edit_removed_need_not_exist(database: Path) -> None:
    size = len(table_bytes(5000))
    edits = [
        edit(log=4, following=9, tables={5: size, 6: len(table_bytes(70_000)), 7: 1234}),
        edit(log=4, following=10, gone=(7,)),
    ]
    (database / "MANIFEST-000001").write_bytes(log_bytes(edits))
    assert check_database(database) == []


def test_a_log_older_than_the_manifest_says_is_not_replayed_and_not_checked(database: Path) -> None:
    (database / "000002.log").write_bytes(b"garbage that nobody reads any more")
    assert check_database(database) == []


@settings(max_examples=60, deadline=None)
@given(size=st.integers(min_value=0, max_value=50_042))
def test_a_torn_tail_of_the_log_is_normal_wherever_it_tears(
    size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("torn") / "db"
    make_database(folder)
    cut(folder / "000004.log", size)
    assert check_database(folder) == []


class GrowingFile(io.BytesIO):
    """A log that a browser writes: after each read, `grown` more bytes of it are there."""

    def __init__(self, data: bytes, size: int, grown: int) -> None:
        super().__init__(data[:size])
        self._data = data
        self._size = size
        self._grown = grown

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        at = self.tell()
        self._size += self._grown
        self.seek(0)
        self.write(self._data[: self._size])
        self.seek(at)
        return found


@settings(max_examples=200, deadline=None)
@given(size=st.integers(0, 100_000), grown=st.integers(1, 70_000))
def test_a_log_that_grows_while_it_is_read_is_whole(size: int, grown: int) -> None:
    written = [bytes([number % 251]) * 7001 for number in range(14)]
    found = list(records(GrowingFile(log_bytes(written), size, grown), "000004.log"))
    assert found == written[: len(found)]


@settings(max_examples=60, deadline=None)
@given(lengths=st.lists(st.integers(min_value=0, max_value=90_000), max_size=5))
def test_records_of_any_length_are_read_over_block_borders(
    lengths: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("long") / "db"
    make_database(folder)
    (folder / "000004.log").write_bytes(log_bytes([bytes(length) for length in lengths]))
    assert check_database(folder) == []


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=300))
def test_garbage_as_a_manifest_is_damage_and_never_a_crash(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("garbage") / "db"
    make_database(folder)
    (folder / "MANIFEST-000001").write_bytes(data)
    assert check_database(folder)


@settings(max_examples=100, deadline=None)
@given(record=st.binary(max_size=200))
def test_garbage_inside_a_sound_record_is_never_a_crash(
    record: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("edit") / "db"
    make_database(folder)
    (folder / "MANIFEST-000001").write_bytes(log_bytes([record]))
    assert isinstance(check_database(folder), list)


def test_a_folder_without_database_files_was_never_opened(tmp_path: Path) -> None:
    (tmp_path / "LOCK").touch()
    (tmp_path / "LOG").touch()
    assert never_opened(tmp_path)
    (tmp_path / "CURRENT").touch()
    assert not never_opened(tmp_path)
