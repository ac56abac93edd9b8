"""Where each object lies in the bucket: the only module that spells the keys.

    sessions/<id>/head.json · tombstone.json · keys/<key-id>
    sessions/<id>/<generation>/packs/<pack> · manifests/<backup> · proofs/<backup>.<state> · damaged
    probes/<random>

Names sort as text, so every number is padded and every instant is written the same way. A name that does not parse
was written by somebody else; it is left alone and never deleted. `docs/snapshot-format.md` documents the layout.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

ROOT = "sessions/"
_UTC = "%Y%m%dT%H%M%SZ"
_BACKUP = re.compile(r"(\d{10})-(\d{8})-(\d{8}T\d{9}Z)")
_GENERATION = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{8}")
_KEY = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{8}")


class BadName(ValueError):
    """A name that this service did not write."""


class ObjectKind(StrEnum):
    """The kinds of objects of a session; the value is the part of the key that tells the kind."""

    HEAD = "head.json"
    TOMBSTONE = "tombstone.json"
    DATA_KEY = "keys"
    PACK = "packs"
    MANIFEST = "manifests"
    PROOF = "proofs"
    CORRUPTION_MARKER = "damaged"
    UNKNOWN = ""
    """An object in a generation of ours whose name we do not know."""


@dataclass(frozen=True)
class ObjectKey:
    """A key of a session, parsed. `generation` is empty above the generations; `name` is the last part, if any."""

    kind: ObjectKind
    generation: str = ""
    name: str = ""


def utc(moment: datetime) -> str:
    """`20261122T145000Z`: seconds, UTC, sorts as text."""
    return moment.astimezone(UTC).strftime(_UTC)


def from_utc(text: str) -> datetime:
    """Raises BadName."""
    try:
        return datetime.strptime(text, _UTC).replace(tzinfo=UTC)
    except ValueError as error:
        raise BadName("not an instant") from error


def instant(moment: datetime) -> str:
    """`20261122T145000123Z`: the same with milliseconds."""
    moment = moment.astimezone(UTC)
    return f"{utc(moment)[:-1]}{moment.microsecond // 1000:03d}Z"


def from_instant(text: str) -> datetime:
    """Raises BadName."""
    return from_utc(text[:-4] + "Z") + timedelta(milliseconds=int(text[-4:-1]))


@dataclass(frozen=True, order=True)
class BackupName:
    """`<epoch>-<seq>-<utc>`; names order as the backups were made. The instant has milliseconds, so two replicas that
    store two snapshots of a session at once never choose the same name, in whatever generations they write."""

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
    """A new generation's name, not among `taken`. The same snapshot at the same instant gives the same name, so two
    replicas that store one snapshot at once meet in one generation."""
    for attempt in range(10_000):
        suffix = hashlib.sha256(f"{snapshot}/{attempt}".encode()).hexdigest()[:8]
        name = f"{utc(now)}-{suffix}"
        if name not in taken:
            return name
    raise BadName("no free name for a generation")


def generation_start(name: str) -> datetime:
    """Raises BadName."""
    match = _GENERATION.fullmatch(name)
    if not match:
        raise BadName("not the name of a generation")
    return from_utc(match[1])


def key_name(now: datetime, suffix: str) -> str:
    """The name of a new data key; `suffix` is 8 random hex digits."""
    return f"{utc(now)}-{suffix}"


def key_created(name: str) -> datetime:
    """Raises BadName."""
    match = _KEY.fullmatch(name)
    if not match:
        raise BadName("not the name of a data key")
    return from_utc(match[1])


def session_prefix(session: str) -> str:
    return f"{ROOT}{session}/"


def head(session: str) -> str:
    return f"{ROOT}{session}/{ObjectKind.HEAD}"


def tombstone(session: str) -> str:
    return f"{ROOT}{session}/{ObjectKind.TOMBSTONE}"


def data_key(session: str, key: str) -> str:
    return f"{ROOT}{session}/{ObjectKind.DATA_KEY}/{key}"


def pack(session: str, generation: str, name: str) -> str:
    return f"{ROOT}{session}/{generation}/{ObjectKind.PACK}/{name}"


def manifest(session: str, generation: str, backup: str) -> str:
    return f"{ROOT}{session}/{generation}/{ObjectKind.MANIFEST}/{backup}"


def proof(session: str, generation: str, backup: str, state: str) -> str:
    return f"{ROOT}{session}/{generation}/{ObjectKind.PROOF}/{backup}.{state}"


def corruption_marker(session: str, generation: str) -> str:
    return f"{ROOT}{session}/{generation}/{ObjectKind.CORRUPTION_MARKER}"


def probe(name: str) -> str:
    """An object that tests conditional writes at the start; it belongs to no session."""
    return f"probes/{name}"


def parse_key(key: str) -> ObjectKey | None:
    """None for a key that is not ours: outside of the sessions, or under a name that is no generation."""
    match key.removeprefix(ROOT).split("/")[1:]:
        case [ObjectKind.HEAD | ObjectKind.TOMBSTONE as name]:
            return ObjectKey(ObjectKind(name))
        case [ObjectKind.DATA_KEY, name]:
            return ObjectKey(ObjectKind.DATA_KEY, name=name)
        case [generation, *rest] if _is_generation(generation):
            return _in_generation(generation, rest)
    return None


def _is_generation(name: str) -> bool:
    try:
        generation_start(name)
    except BadName:
        return False
    return True


def _in_generation(generation: str, rest: list[str]) -> ObjectKey:
    match rest:
        case [ObjectKind.PACK | ObjectKind.MANIFEST | ObjectKind.PROOF as kind, name]:
            return ObjectKey(ObjectKind(kind), generation, name)
        case [ObjectKind.CORRUPTION_MARKER]:
            return ObjectKey(ObjectKind.CORRUPTION_MARKER, generation)
    return ObjectKey(ObjectKind.UNKNOWN, generation)


def proof_of(name: str) -> tuple[str, str]:
    """Backup and state of a proof's name."""
    backup, _, state = name.rpartition(".")
    return backup, state
