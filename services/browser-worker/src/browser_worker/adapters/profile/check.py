"""Offline check of a profile folder: are the files there in which a browser would find a login, and are they whole?

The check looks at files and knows no logins: a profile in which nobody ever logged in passes too. Damage that costs no
login, as in Session Storage and cookies, is reported and leaves the profile valid.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from browser_worker.adapters.durable_files import files_under
from browser_worker.adapters.profile.leveldb_check import check_database, never_opened
from browser_worker.domain import profile_rules
from shared.contracts.sessions import ProfileStatus

_SQLITE_MAGIC = b"SQLite format 3\0"
_SHOWN = 8


@dataclass
class ProfileCheck:
    """`faults` and `missing` cost the login; `notes` do not."""

    present: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def valid(self) -> bool:
        return not self.missing and not self.faults

    def explanation(self) -> str:
        """One line for an error message. Names files, never contents."""
        return "; ".join([*(f"{path} is missing" for path in self.missing), *self.faults][:_SHOWN])


def check_profile(profile: Path) -> ProfileCheck:
    check = ProfileCheck()
    _check_local_storage(profile, check)
    _check_indexed_db(profile, check)
    _check_session_storage(profile, check)
    _check_cookies(profile, check)
    return check


def profile_status(profile: Path, now: datetime) -> ProfileStatus:
    """What the session's status says about the profile. Times are in UTC."""
    if not (profile / "Default").is_dir():
        return ProfileStatus(validated_at=now)
    check = check_profile(profile)
    total, newest = _size_and_change(profile)
    return ProfileStatus(
        exists=True,
        valid=check.valid,
        bytes=total,
        modified_at=datetime.fromtimestamp(newest, UTC),
        validated_at=now,
        critical_files=tuple(check.present),
        missing_files=tuple(check.missing),
        problems=tuple([*check.faults, *check.notes][:_SHOWN]),
    )


def _size_and_change(profile: Path) -> tuple[int, float]:
    total, newest = 0, profile.stat().st_mtime
    for status in files_under(profile):
        total += status.st_size
        newest = max(newest, status.st_mtime)
    return total, newest


def _check_local_storage(profile: Path, check: ProfileCheck) -> None:
    folder = profile / profile_rules.LOCAL_STORAGE
    if not folder.is_dir() or never_opened(folder):
        check.missing.append(profile_rules.LOCAL_STORAGE)
        return
    check.present.append(profile_rules.LOCAL_STORAGE)
    check.faults += _named(profile_rules.LOCAL_STORAGE, check_database(folder))


def _check_indexed_db(profile: Path, check: ProfileCheck) -> None:
    names = _databases(profile / profile_rules.INDEXED_DB)
    if not names:
        check.missing.append(profile_rules.INDEXED_DB)
        return
    check.present.append(profile_rules.INDEXED_DB)
    for name in names:
        path = f"{profile_rules.INDEXED_DB}/{name}"
        check.faults += _named(path, check_database(profile / path))


def _databases(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir() if path.suffix == ".leveldb")
    except (FileNotFoundError, NotADirectoryError):
        return []


def _check_session_storage(profile: Path, check: ProfileCheck) -> None:
    folder = profile / profile_rules.SESSION_STORAGE
    if folder.is_dir() and not never_opened(folder):
        check.notes += _named(profile_rules.SESSION_STORAGE, check_database(folder))


def _check_cookies(profile: Path, check: ProfileCheck) -> None:
    for path in (profile_rules.COOKIES, "Default/Network/Cookies"):
        try:
            with (profile / path).open("rb") as file:
                start = file.read(len(_SQLITE_MAGIC))
        except OSError:
            continue
        if start and start != _SQLITE_MAGIC:
            check.notes.append(f"{path} is no database")


def _named(path: str, problems: list[str]) -> list[str]:
    return [f"{path}: {problem}" for problem in problems]
