"""What the phone and the server remember, in one SQLite file that survives a SIGKILL at any moment.

The module knows devices, messages, the offline queue and the chosen settings. It knows neither sockets nor who is
connected now. `max_simultaneous` only grows, because it is the proof that no session ever ran twice.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

SCHEMA = """
create table if not exists devices (
    id integer primary key, token text unique not null, identity_key text not null, platform text not null,
    linked_at text not null, unlinked_at text, unlink_reason text,
    logins integer not null default 0, max_simultaneous integer not null default 0,
    max_active integer not null default 0, foreign_logins integer not null default 0);
create table if not exists messages (
    device integer not null, id text not null, recipient text not null, body text not null, at text not null,
    copies integer not null default 1, primary key (device, id));
create table if not exists incoming (
    seq integer primary key, device integer not null, id text not null, sender text not null, body text not null,
    at text not null, delivered_at text);
create table if not exists chosen (name text primary key, value text not null);
"""


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """One linked device as the phone lists it."""

    id: int
    token: str
    identity_key: str
    platform: str
    linked_at: str
    unlinked_at: str | None
    unlink_reason: str | None
    logins: int
    max_simultaneous: int
    max_active: int
    foreign_logins: int

    @property
    def linked(self) -> bool:
        return self.unlinked_at is None


class StateFile:
    """Each method is one transaction."""

    def __init__(self, state_dir: Path) -> None:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._db = sqlite3.connect(state_dir / "standin.sqlite3", isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("pragma journal_mode=wal")
        self._db.execute("pragma synchronous=normal")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        self._db.close()

    def link(self, *, token: str, identity_key: str, platform: str, at: str) -> Device:
        """Add a device. Its id is never used again, not even after an unlink."""
        cursor = self._db.execute(
            "insert into devices (token, identity_key, platform, linked_at) values (?, ?, ?, ?)",
            (token, identity_key, platform, at),
        )
        device = self.device(int(cursor.lastrowid or 0))
        assert device is not None
        return device

    def unlink(self, device: int, *, at: str, reason: str) -> bool:
        """False when it was not linked."""
        cursor = self._db.execute(
            "update devices set unlinked_at = ?, unlink_reason = ? where id = ? and unlinked_at is null",
            (at, reason, device),
        )
        self._db.execute("delete from incoming where device = ? and delivered_at is null", (device,))
        return cursor.rowcount > 0

    def devices(self) -> list[Device]:
        return [_device(row) for row in self._db.execute("select * from devices order by id")]

    def device(self, device: int) -> Device | None:
        row = self._db.execute("select * from devices where id = ?", (device,)).fetchone()
        return _device(row) if row else None

    def device_of(self, token: str) -> Device | None:
        row = self._db.execute("select * from devices where token = ?", (token,)).fetchone()
        return _device(row) if row else None

    def count_login(self, device: int, *, simultaneous: int, active: int) -> None:
        self._db.execute(
            "update devices set logins = logins + 1, max_simultaneous = max(max_simultaneous, ?),"
            " max_active = max(max_active, ?) where id = ?",
            (simultaneous, active, device),
        )

    def count_foreign_login(self, device: int) -> None:
        self._db.execute("update devices set foreign_logins = foreign_logins + 1 where id = ?", (device,))

    def add_message(self, device: int, *, id_: str, recipient: str, body: str, at: str) -> bool:
        """Record a message of a device. False when the id was recorded before; then only its copies are counted."""
        row = self._db.execute(
            "insert into messages (device, id, recipient, body, at) values (?, ?, ?, ?, ?)"
            " on conflict do update set copies = copies + 1 returning copies",
            (device, id_, recipient, body, at),
        ).fetchone()
        return bool(row["copies"] == 1)

    def messages(self, last: int | None = None) -> list[dict[str, Any]]:
        """All or the last few, oldest first: {id, to, text, at, device, copies}."""
        rows = self._db.execute(
            'select id, recipient as "to", body as text, at, device, copies from messages order by rowid desc limit ?',
            (_limit(last),),
        )
        return [dict(row) for row in rows][::-1]

    def queue_incoming(self, device: int, *, id_: str, sender: str, body: str, at: str) -> None:
        self._db.execute(
            "insert into incoming (device, id, sender, body, at) values (?, ?, ?, ?, ?)",
            (device, id_, sender, body, at),
        )

    def undelivered(self, device: int) -> list[dict[str, Any]]:
        rows = self._db.execute(
            'select id, sender as "from", body as text, at from incoming'
            " where device = ? and delivered_at is null order by seq",
            (device,),
        )
        return [dict(row) for row in rows]

    def delivered(self, device: int, id_: str, *, at: str) -> None:
        self._db.execute(
            "update incoming set delivered_at = ? where device = ? and id = ? and delivered_at is null",
            (at, device, id_),
        )

    def incoming(self, last: int | None = None) -> list[dict[str, Any]]:
        """All or the last few, oldest first."""
        rows = self._db.execute(
            'select id, device, sender as "from", body as text, at, delivered_at from incoming'
            " order by seq desc limit ?",
            (_limit(last),),
        )
        return [dict(row) for row in rows][::-1]

    def choose(self, name: str, value: Mapping[str, Any]) -> None:
        self._db.execute("insert or replace into chosen (name, value) values (?, ?)", (name, json.dumps(value)))

    def chosen(self, name: str) -> dict[str, Any]:
        row = self._db.execute("select value from chosen where name = ?", (name,)).fetchone()
        value: dict[str, Any] = json.loads(row["value"]) if row else {}
        return value

    def clear(self) -> None:
        """Forget messages, queues and choices. Devices stay listed, all of them unlinked, so that no id returns."""
        for table in ("messages", "incoming", "chosen"):
            self._db.execute(f"delete from {table}")


def _limit(last: int | None) -> int:
    """SQLite takes a negative limit for none."""
    return -1 if last is None else last


def _device(row: sqlite3.Row) -> Device:
    return msgspec.convert(dict(row), Device)
