"""Saves and backups: whether they exist, and whether they are fresh while the session is connected.

A backup that was skipped because nothing had changed is as good as a new one, so the time of the newest attempt counts
where that attempt did not fail.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from health.domain.case import Case
from health.domain.finding import Check, CheckCode, Finding, Problem, healthy, unknown
from health.domain.levels import Level, graded
from health.domain.localized_text import LocalizedText, duration, safe_text
from health.domain.recommendations import Action, CaseFindings, Rule, Urgency
from shared.contracts.sessions import BackupsStatus, State

from . import profile, system

BACKUP = CheckCode("WA-BACKUP")
ATTEMPT = CheckCode("WA-ATTEMPT")
SAVE = CheckCode("WA-SAVE")

NO_BACKUP = Problem("no_backup", LocalizedText("There is no off-site backup yet.", "لا توجد نسخة احتياطية خارجية بعد."))
OLD_BACKUP = Problem(
    "old_backup", LocalizedText("The newest backup is {duration} old.", "أُنشئت أحدث نسخة احتياطية قبل {duration}.")
)
FAILED_ATTEMPT = Problem(
    "failed_attempt",
    LocalizedText("The newest backup attempt failed: {code}.", "فشلت آخر محاولة للنسخ الاحتياطي: {code}."),
)
NO_SAVE = Problem("no_save", LocalizedText("There is no local save yet.", "لا يوجد حفظ محلي بعد."))
OLD_SAVE = Problem(
    "old_save", LocalizedText("The newest local save is {duration} old.", "أُنشئ آخر حفظ محلي قبل {duration}.")
)


def current_at(backups: BackupsStatus) -> datetime | None:
    """When the newest backup was last known to hold what the profile holds; None where no backup exists."""
    if backups.newest_at is None:
        return None
    attempt = backups.last_attempt_at
    return max(backups.newest_at, attempt) if attempt and not backups.last_error else backups.newest_at


@dataclass(frozen=True)
class _CopyLimits:
    """The limits of one kind of copy in seconds, and what is said where they are passed."""

    missing: Problem
    old: Problem
    warning: float
    critical: float
    missing_warning: float
    missing_critical: float

    def examine(self, case: Case, newest: datetime | None, state_since: datetime) -> Finding:
        return self._missing(case, state_since) if newest is None else self._aged(case, newest)

    def _missing(self, case: Case, since: datetime) -> Finding:
        level = graded(case.in_state, self.missing_warning, self.missing_critical)
        if level is Level.HEALTHY:
            return unknown("none yet, the session is young")
        return Finding(level, "none", duration(self.warning).en, self.missing, since)

    def _aged(self, case: Case, newest: datetime) -> Finding:
        limit = duration(self.warning).en
        age = case.age(newest)
        level = graded(age, self.warning, self.critical)
        if level is Level.CRITICAL and case.in_state <= self.warning:
            level = Level.WARNING  # after a long rest the next copy is still under way
        if level.bad:
            return Finding(level, duration(age).en, limit, self.old.fill(duration=duration(age)), newest)
        return healthy(duration(age).en, limit)


def examine_backup(case: Case) -> Finding:
    """An old backup is a fact. That all is well, or that nothing is there, only a fresh answer of the store can say."""
    if case.status is None or (not case.status.backups.known and case.status.backups.seen_at is None):
        return unknown("the backup service has not been asked yet")
    if not case.copies_expected:
        return unknown("backups are made while connected")
    interval = case.limits.backup_interval_seconds
    limits = _CopyLimits(
        NO_BACKUP,
        OLD_BACKUP,
        warning=interval * case.limits.backup_warning_factor,
        critical=interval * case.limits.backup_critical_factor,
        missing_warning=-1.0,
        missing_critical=case.limits.no_backup_critical_seconds,
    )
    found = limits.examine(case, current_at(case.status.backups), case.status.since)
    return unknown(case.old_listing) if case.old_listing and found.problem != OLD_BACKUP else found


def examine_attempt(case: Case) -> Finding:
    """The code is shown and decides nothing."""
    if case.status is None or not case.copies_expected:
        return unknown("backups are made while connected")
    backups = case.status.backups
    ago = f"{duration(case.age(backups.last_attempt_at)).en} ago" if backups.last_attempt_at else "none yet"
    if not backups.last_error:
        return healthy(ago)
    code = safe_text(backups.last_error)
    return Finding(Level.WARNING, f"{code}, {ago}", "stored", FAILED_ATTEMPT.fill(code=code))


def examine_save(case: Case) -> Finding:
    if case.status is None or not case.copies_expected:
        return unknown("saves are made while connected")
    interval = case.limits.save_interval_seconds
    critical = interval * case.limits.save_critical_factor
    limits = _CopyLimits(
        NO_SAVE,
        OLD_SAVE,
        warning=interval * case.limits.save_warning_factor,
        critical=critical,
        missing_warning=interval,
        missing_critical=critical,
    )
    return limits.examine(case, case.status.saves.newest_at, case.status.since)


CHECKS = (
    Check(
        BACKUP,
        LocalizedText("Off-site backup", "النسخة الاحتياطية الخارجية"),
        LocalizedText(
            "A fresh backup exists. Judged only while the session is connected and after the backup service has "
            "answered.",
            "توجد نسخة احتياطية حديثة. يُقيَّم ذلك أثناء الاتصال فقط وبعد أن تستجيب خدمة النسخ الاحتياطي.",
        ),
        LocalizedText(
            "Backups are made automatically. Request one now, and check the storage if it fails.",
            "تُنشأ النسخ الاحتياطية تلقائيًا. اطلب نسخة الآن، وافحص المخزن إذا فشلت.",
        ),
        lambda t: (
            f"none: warning, critical after {duration(t.no_backup_critical_seconds).en} connected; old: warning "
            f"{duration(t.backup_interval_seconds * t.backup_warning_factor).en}, critical "
            f"{duration(t.backup_interval_seconds * t.backup_critical_factor).en}"
        ),
        examine_backup,
    ),
    Check(
        ATTEMPT,
        LocalizedText("Newest backup attempt", "آخر محاولة للنسخ الاحتياطي"),
        LocalizedText(
            "The newest attempt to back up, automatic or requested, succeeded. Judged only while the session is "
            "connected.",
            "نجحت آخر محاولة للنسخ الاحتياطي، تلقائية كانت أو بطلب. يُقيَّم ذلك أثناء الاتصال فقط.",
        ),
        LocalizedText(
            "Read the code. The system tries again automatically; fenced means that another owner holds the session.",
            "راجع الرمز. يعيد النظام المحاولة تلقائيًا؛ الرمز fenced يعني أن مالكًا آخر يحوز الجلسة.",
        ),
        lambda _: "warning when it failed; a lack of fresh backups is judged by WA-BACKUP",
        examine_attempt,
    ),
    Check(
        SAVE,
        LocalizedText("Local save", "الحفظ المحلي"),
        LocalizedText("The newest save under BACKUP_SESSION_PATH is fresh.", "آخر حفظ في BACKUP_SESSION_PATH حديث."),
        LocalizedText(
            "Run a health check, which makes a save. Check the disk if it fails.",
            "شغّل فحص الصحة، فهو ينشئ حفظًا جديدًا. افحص القرص إذا فشل ذلك.",
        ),
        lambda t: (
            f"warning {duration(t.save_interval_seconds * t.save_warning_factor).en}, critical "
            f"{duration(t.save_interval_seconds * t.save_critical_factor).en}"
        ),
        examine_save,
    ),
)


def _worth_backing_up(found: CaseFindings) -> bool:
    usable = not found.bad(system.STORE) and found.case.state is State.CONNECTED and not profile.damaged(found)
    return found.case.should_run and found.bad(BACKUP) and usable


RULES = (
    Rule(
        "back-up",
        Urgency.UPKEEP,
        (BACKUP,),
        Action.BACK_UP,
        LocalizedText("Make a new backup now.", "أنشئ نسخة احتياطية جديدة الآن."),
        _worth_backing_up,
    ),
    Rule(
        "mend-backups",
        Urgency.UPKEEP,
        (ATTEMPT,),
        None,
        LocalizedText(
            "Backups fail. Read why, and remove the cause: another owner of this session, a wrong master key, or a "
            "storage that cannot be used.",
            "تفشل النسخ الاحتياطية. راجع السبب وأزله: مالك آخر لهذه الجلسة، أو مفتاح رئيسي خاطئ، أو مخزن لا يمكن "
            "استخدامه.",
        ),
        lambda found: found.bad(ATTEMPT),
    ),
)
