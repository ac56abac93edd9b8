"""The outbox in SQLite, beside the profile: no command sends its message twice.

The intention is written durably before the send, and the outcome after it. A row that is still `intended` after a
restart is a message that may or may not have been sent. The worker then asks the page for that message and never sends
it again. A command that comes again gets the recorded outcome.

The file holds command ids, message ids, outcomes and a short digest of what was sent, never a text. WhatsApp makes the
recipient's number a part of the message id, so the file is private (0600) and a row goes after a week.
"""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import msgspec

from browser_worker.adapters.durable_files import private_folder
from shared.clock import Clock
from shared.contracts.commands import SendResult
from shared.runtime import get_logger

ROW_LIFETIME = timedelta(days=7)
_MAX_ERROR_CHARACTERS = 200
_COLUMNS = "command_id, outcome, message_id, ack, error, failure"
_TABLE = """
CREATE TABLE IF NOT EXISTS sends (
    command_id TEXT PRIMARY KEY,
    message_id TEXT NOT NULL,
    outcome TEXT NOT NULL,
    ack INTEGER NOT NULL,
    error TEXT NOT NULL,
    intended_at REAL NOT NULL,
    asked TEXT NOT NULL DEFAULT '',
    failure TEXT NOT NULL DEFAULT ''
) STRICT
"""

log = get_logger()


class SqliteOutbox:
    """Fulfils ports.Outbox. A change is on the disk when its call returns, after milliseconds. One thread at a time."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._clock = clock
        private_folder(path.parent)
        self._database = _open(path, clock)
        self._drop_old()

    def intend(self, command_id: str, message_id: str, asked: str = "") -> SendResult | None:
        self._drop_old()
        known = self.find(command_id)
        if known:
            return msgspec.structs.replace(known, repeated=True)
        now = self._clock.now().timestamp()
        with self._database as change:
            change.execute(
                "INSERT INTO sends (command_id, message_id, outcome, ack, error, intended_at, asked) "
                "VALUES (?, ?, 'intended', 0, '', ?, ?)",
                (command_id, message_id, now, asked),
            )
        return None

    def record_outcome(self, command_id: str, result: SendResult) -> None:
        """Record the outcome. A `result` without a message id leaves the recorded message id."""
        with self._database as change:
            change.execute(
                "UPDATE sends SET outcome = ?, ack = ?, error = ?, failure = ?, "
                "message_id = coalesce(nullif(?, ''), message_id) WHERE command_id = ?",
                (
                    result.outcome,
                    result.ack,
                    result.error[:_MAX_ERROR_CHARACTERS],
                    result.failure,
                    result.message_id,
                    command_id,
                ),
            )

    def find(self, command_id: str) -> SendResult | None:
        row = self._database.execute(f"SELECT {_COLUMNS} FROM sends WHERE command_id = ?", (command_id,)).fetchone()  # noqa: S608
        return _result(row) if row else None

    def asked(self, command_id: str) -> str:
        row = self._database.execute("SELECT asked FROM sends WHERE command_id = ?", (command_id,)).fetchone()
        return str(row[0]) if row else ""

    def open(self) -> list[SendResult]:
        rows = self._database.execute(
            f"SELECT {_COLUMNS} FROM sends WHERE outcome IN ('intended', 'unknown') ORDER BY intended_at, rowid"  # noqa: S608
        )
        return [_result(row) for row in rows]

    def close(self) -> None:
        self._database.close()

    def _drop_old(self) -> None:
        limit = (self._clock.now() - ROW_LIFETIME).timestamp()
        with self._database as change:
            change.execute("DELETE FROM sends WHERE intended_at < ?", (limit,))


def _result(row: tuple[str, str, str, int, str, str]) -> SendResult:
    command_id, outcome, message_id, ack, error, failure = row
    return SendResult(
        outcome=outcome, command_id=command_id, message_id=message_id, ack=ack, error=error, failure=failure
    )


def _open(path: Path, clock: Clock) -> sqlite3.Connection:
    """A journal that SQLite cannot read is set aside and a new one begun, so that the session can start."""
    try:
        return _connect(path)
    except sqlite3.DatabaseError:
        aside = path.with_name(f"{path.name}.damaged-{clock.now():%Y%m%dT%H%M%SZ}")
        log.error("outbox_damaged", set_aside_as=aside.name)
        path.rename(aside)
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600)
    database = sqlite3.connect(path, timeout=5.0, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        with database:
            database.execute(_TABLE)
            columns = {row[1] for row in database.execute("PRAGMA table_info(sends)")}
            for added in ("asked", "failure"):
                if added not in columns:
                    database.execute(f"ALTER TABLE sends ADD COLUMN {added} TEXT NOT NULL DEFAULT ''")
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database
