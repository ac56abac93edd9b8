"""Where each object of a session lies in the bucket, and how names are read back.

    sessions/<id>/head.json · tombstone.json · keys/<key-id>
    sessions/<id>/<generation>/packs/<pack> · manifests/<backup> · proofs/<backup>.<state> · damaged

Knows names only. The trap: names sort as text, so every number in one is padded and every instant is written the same
way; and a name read from the bucket may be anybody's, so what does not parse is left alone, never deleted.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

ROOT = "sessions/"
_UTC = "%Y%m%dT%H%M%SZ"
_BACKUP = re.compile(r"(\d{10})-(\d{8})-(\d{8}T\d{9}Z)")
_GENERATION = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{8}")
_KEY = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{8}")


class BadName(ValueError):
    """A name that this service did not write."""


def utc(moment: datetime) -> str:
    """`20261122T145000Z`: seconds, UTC, sorts as text."""
    return moment.astimezone(UTC).strftime(_UTC)


def from_utc(text: str) -> datetime:
    try:
        return datetime.strptime(text, _UTC).replace(tzinfo=UTC)
    except ValueError as error:
        raise BadName("not an instant") from error


def instant(moment: datetime) -> str:
    """`20261122T145000123Z`: the same with milliseconds."""
    moment = moment.astimezone(UTC)
    return f"{utc(moment)[:-1]}{moment.microsecond // 1000:03d}Z"


def from_instant(text: str) -> datetime:
    return from_utc(text[:-4] + "Z") + timedelta(milliseconds=int(text[-4:-1]))


@dataclass(frozen=True, order=True)
class BackupName:
    """`<epoch>-<seq>-<utc>`; orders as the backups were made. Milliseconds, so that two replicas that store two
    snapshots of a session at once never give them one name, also in two generations."""

    epoch: int
    sequence: int
    taken: str

    @property
    def taken_at(self) -> datetime:
        return from_instant(self.taken)

    def __str__(self) -> str:
        return f"{self.epoch:010d}-{self.sequence:08d}-{self.taken}"

    @classmethod
    def read(cls, text: str) -> BackupName:
        """Raises BadName."""
        match = _BACKUP.fullmatch(text)
        if not match:
            raise BadName("not the name of a backup")
        name = cls(int(match[1]), int(match[2]), match[3])
        from_instant(name.taken)
        return name


def generation_name(now: datetime, snapshot: str, *, taken: frozenset[str] = frozenset()) -> str:
    """A new generation's name. The same snapshot at the same instant gives the same name, so that two replicas that
    store it at once meet in one generation; `taken` names are avoided."""
    for attempt in range(10_000):
        mark = hashlib.sha256(f"{snapshot}/{attempt}".encode()).hexdigest()[:8]
        name = f"{utc(now)}-{mark}"
        if name not in taken:
            return name
    raise BadName("no free name for a generation")


def generation_start(name: str) -> datetime:
    """Raises BadName."""
    match = _GENERATION.fullmatch(name)
    if not match:
        raise BadName("not the name of a generation")
    return from_utc(match[1])


def key_created(name: str) -> datetime:
    """Raises BadName."""
    match = _KEY.fullmatch(name)
    if not match:
        raise BadName("not the name of a data key")
    return from_utc(match[1])


def session_prefix(session: str) -> str:
    return f"{ROOT}{session}/"


def head(session: str) -> str:
    return f"{ROOT}{session}/head.json"


def tombstone(session: str) -> str:
    return f"{ROOT}{session}/tombstone.json"


def data_key(session: str, key: str) -> str:
    return f"{ROOT}{session}/keys/{key}"


def pack(session: str, generation: str, name: str) -> str:
    return f"{ROOT}{session}/{generation}/packs/{name}"


def manifest(session: str, generation: str, backup: str) -> str:
    return f"{ROOT}{session}/{generation}/manifests/{backup}"


def proof(session: str, generation: str, backup: str, state: str) -> str:
    return f"{ROOT}{session}/{generation}/proofs/{backup}.{state}"


def damaged(session: str, generation: str) -> str:
    return f"{ROOT}{session}/{generation}/damaged"
