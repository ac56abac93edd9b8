from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from browser_worker.adapters.outbox_sqlite import SqliteOutbox
from shared.contracts.commands import SendResult


class StillClock:
    def __init__(self) -> None:
        self.instant = datetime(2026, 11, 22, tzinfo=UTC)

    def now(self) -> datetime:
        return self.instant

    def monotonic(self) -> float:
        return self.instant.timestamp()

    async def sleep(self, seconds: float) -> None:
        raise AssertionError


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "session-shop.worker/outbox.sqlite"


@pytest.fixture
def outbox(path: Path, clock: StillClock) -> Iterator[SqliteOutbox]:
    made = SqliteOutbox(path, clock)
    yield made
    made.close()


def test_a_first_intention_is_recorded_and_a_second_gets_what_is_recorded(outbox: SqliteOutbox) -> None:
    assert outbox.intend("c1", "m1") is None
    assert outbox.intend("c1", "m2") == SendResult(outcome="intended", command_id="c1", message_id="m1", repeated=True)


def test_an_outcome_is_given_again_for_the_same_command(outbox: SqliteOutbox) -> None:
    outbox.intend("c1", "m1")
    outbox.record_outcome("c1", SendResult(outcome="failed", ack=-1, error="refused"))
    assert outbox.find("c1") == SendResult(outcome="failed", command_id="c1", message_id="m1", ack=-1, error="refused")
    assert outbox.intend("c1", "m9") == SendResult(
        outcome="failed", command_id="c1", message_id="m1", ack=-1, error="refused", repeated=True
    )


def test_a_command_that_was_never_seen_is_none(outbox: SqliteOutbox) -> None:
    assert outbox.find("c1") is None


def test_open_ones_are_those_without_a_sure_outcome_oldest_first(outbox: SqliteOutbox, clock: StillClock) -> None:
    for number, outcome in enumerate(["intended", "sent", "unknown", "failed", "intended"]):
        outbox.intend(f"c{number}", f"m{number}")
        if outcome != "intended":
            outbox.record_outcome(f"c{number}", SendResult(outcome=outcome))
        clock.instant += timedelta(seconds=1)
    assert [result.command_id for result in outbox.open()] == ["c0", "c2", "c4"]


def test_after_seven_days_a_command_is_forgotten(outbox: SqliteOutbox, clock: StillClock) -> None:
    outbox.intend("old", "m1")
    clock.instant += timedelta(days=6)
    outbox.intend("newer", "m2")
    clock.instant += timedelta(days=1, seconds=1)
    outbox.intend("newest", "m3")
    assert outbox.find("old") is None
    assert outbox.find("newer")


def test_a_new_life_finds_what_the_old_one_recorded(outbox: SqliteOutbox, path: Path, clock: StillClock) -> None:
    outbox.intend("c1", "m1")
    second = SqliteOutbox(path, clock)
    assert second.find("c1") == SendResult(outcome="intended", command_id="c1", message_id="m1")
    second.close()


def test_the_file_is_for_its_owner_alone(outbox: SqliteOutbox, path: Path) -> None:
    outbox.intend("c1", "m1")
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file


@pytest.mark.parametrize(
    "garbage", [b"no database at all, but long enough to look at" * 20, b"SQLite format 3\0" + b"\xff" * 900]
)
def test_a_journal_that_cannot_be_read_is_set_aside(path: Path, clock: StillClock, garbage: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(garbage)
    outbox = SqliteOutbox(path, clock)
    assert outbox.intend("c1", "m1") is None
    outbox.close()
    assert (path.parent / "outbox.sqlite.damaged-20261122T000000Z").read_bytes() == garbage


def test_only_ids_outcomes_and_a_digest_have_a_place_in_the_journal(outbox: SqliteOutbox, path: Path) -> None:
    reader = sqlite3.connect(path)
    columns = [row[1] for row in reader.execute("PRAGMA table_info(sends)")]
    reader.close()
    assert columns == ["command_id", "message_id", "outcome", "ack", "error", "intended_at", "asked", "failure"]


def test_what_was_asked_is_recorded_and_a_journal_of_before_is_taken_on(path: Path, clock: StillClock) -> None:
    outbox = SqliteOutbox(path, clock)
    outbox.intend("c1", "m1", "digest-1")
    assert (outbox.asked("c1"), outbox.asked("never")) == ("digest-1", "")
    outbox.close()
    old = sqlite3.connect(path)
    old.execute("ALTER TABLE sends DROP COLUMN asked")
    old.commit()
    old.close()
    again = SqliteOutbox(path, clock)
    assert again.asked("c1") == ""
    assert again.intend("c1", "m2", "digest-2") == SendResult(
        outcome="intended", command_id="c1", message_id="m1", repeated=True
    )
    again.close()


def test_a_journal_of_an_earlier_version_keeps_its_rows_and_learns_why_a_send_failed(
    path: Path, clock: StillClock
) -> None:
    path.parent.mkdir()
    earlier = sqlite3.connect(path)
    earlier.execute(
        "CREATE TABLE sends (command_id TEXT PRIMARY KEY, message_id TEXT NOT NULL, outcome TEXT NOT NULL, "
        "ack INTEGER NOT NULL, error TEXT NOT NULL, intended_at REAL NOT NULL) STRICT"
    )
    earlier.execute("INSERT INTO sends VALUES ('c1', 'm1', 'sent', 1, '', ?)", (clock.now().timestamp(),))
    earlier.commit()
    earlier.close()
    for _ in range(2):
        outbox = SqliteOutbox(path, clock)
        assert outbox.find("c1") == SendResult(outcome="sent", command_id="c1", message_id="m1", ack=1)
        outbox.intend("c2", "m2")
        outbox.record_outcome("c2", SendResult(outcome="failed", failure="page_elsewhere"))
        found = outbox.find("c2")
        assert found is not None
        assert found.failure == "page_elsewhere"
        outbox.close()
