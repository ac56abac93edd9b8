"""Saves and backups: do they exist, and are they fresh while the session is connected?

A backup that was skipped because nothing changed is as good as a new one, so the newest attempt counts where it did
not fail.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from health.domain.case import Case
from health.domain.finding import Check, Finding, healthy, unknown
from health.domain.levels import Level, graded
from health.domain.localized_text import LocalizedText, duration
from shared.contracts.sessions import BackupsStatus

NO_BACKUP = LocalizedText("There is no off-site backup yet.", "لا توجد نسخة احتياطية خارجية بعد.")
OLD_BACKUP = LocalizedText("The newest backup is {span} old.", "مضى على أحدث نسخة احتياطية {span}.")
NO_SAVE = LocalizedText("There is no local save yet.", "لا يوجد حفظ محلي بعد.")
OLD_SAVE = LocalizedText("The newest local save is {span} old.", "مضى على أحدث حفظ محلي {span}.")


def current_at(backups: BackupsStatus) -> datetime | None:
    """When the newest backup was last known to hold what the profile holds; None when there is none."""
    if backups.newest_at is None:
        return None
    attempt = backups.last_attempt_at
    return max(backups.newest_at, attempt) if attempt and not backups.last_error else backups.newest_at


@dataclass(frozen=True)
class _Copy:
    """Limits of one kind of copy, in seconds."""

    missing: LocalizedText
    old: LocalizedText
    warning: float
    critical: float
    missing_warning: float
    missing_critical: float


def _missing(case: Case, copy: _Copy, since: datetime) -> Finding:
    level = graded(case.in_state, copy.missing_warning, copy.missing_critical)
    if level is Level.HEALTHY:
        return unknown("none yet, the session is young")
    return Finding(level, "none", duration(copy.warning).en, "none", copy.missing, since)


def _aged(case: Case, copy: _Copy, newest: datetime) -> Finding:
    limit = duration(copy.warning).en
    age = case.age(newest)
    level = graded(age, copy.warning, copy.critical)
    if level is Level.CRITICAL and case.in_state <= copy.warning:
        level = Level.WARNING  # back after a long rest: the next copy is still under way
    if level.bad:
        return Finding(level, duration(age).en, limit, "old", copy.old.fill(span=duration(age)), newest)
    return healthy(duration(age).en, limit)


def examine_backup(case: Case) -> Finding:
    if case.status is None or not case.status.backups.known:
        return unknown("the backup service has not been asked yet")
    if not case.copies_expected:
        return unknown("backups are made while connected")
    interval = case.limits.backup_interval_seconds
    copy = _Copy(
        NO_BACKUP,
        OLD_BACKUP,
        warning=interval * case.limits.backup_warning_factor,
        critical=interval * case.limits.backup_critical_factor,
        missing_warning=-1.0,
        missing_critical=case.limits.no_backup_critical_seconds,
    )
    newest = current_at(case.status.backups)
    return _aged(case, copy, newest) if newest else _missing(case, copy, case.status.since)


def examine_save(case: Case) -> Finding:
    if case.status is None or not case.copies_expected:
        return unknown("saves are made while connected")
    interval = case.limits.save_interval_seconds
    critical = interval * case.limits.save_critical_factor
    copy = _Copy(
        NO_SAVE,
        OLD_SAVE,
        warning=interval * case.limits.save_warning_factor,
        critical=critical,
        missing_warning=interval,
        missing_critical=critical,
    )
    newest = case.status.saves.newest_at
    return _aged(case, copy, newest) if newest else _missing(case, copy, case.status.since)


CHECKS = (
    Check(
        "WA-BACKUP",
        LocalizedText("Off-site backup", "النسخة الاحتياطية الخارجية"),
        LocalizedText(
            "A backup exists and is fresh; judged while connected, and only when the backup service has answered.",
            "توجد نسخة احتياطية حديثة؛ يُقيَّم ذلك أثناء الاتصال وبعد أن تجيب خدمة النسخ الاحتياطي.",
        ),
        LocalizedText(
            "It comes by itself; ask for one now, and look at the storage where that fails.",
            "تُنشأ تلقائيًا؛ اطلب واحدة الآن، وافحص المخزن إذا فشل ذلك.",
        ),
        lambda t: (
            f"none: warning, critical after {duration(t.no_backup_critical_seconds).en} connected; old: warning "
            f"{duration(t.backup_interval_seconds * t.backup_warning_factor).en}, critical "
            f"{duration(t.backup_interval_seconds * t.backup_critical_factor).en}"
        ),
        examine_backup,
    ),
    Check(
        "WA-SAVE",
        LocalizedText("Local save", "الحفظ المحلي"),
        LocalizedText("The newest save under BACKUP_SESSION_PATH is fresh.", "حداثة آخر حفظ في BACKUP_SESSION_PATH."),
        LocalizedText(
            "Run a health check, which saves; look at the disk where that fails.",
            "شغّل فحص الصحة فهو يحفظ؛ وافحص القرص إذا فشل ذلك.",
        ),
        lambda t: (
            f"warning {duration(t.save_interval_seconds * t.save_warning_factor).en}, critical "
            f"{duration(t.save_interval_seconds * t.save_critical_factor).en}"
        ),
        examine_save,
    ),
)
