"""The profile on disk: its size, its essential files, and whether a browser would find its login in it."""

from __future__ import annotations

from health.domain.case import Case
from health.domain.finding import Check, CheckCode, Finding, Problem, healthy, unknown
from health.domain.levels import Level, graded
from health.domain.localized_text import LocalizedText, duration, megabytes, safe_text
from health.domain.thresholds import Thresholds
from shared.contracts.units import MEGABYTE

LARGE = LocalizedText(
    "The profile has grown to {size}. The limit is {limit}.", "بلغ حجم ملف الجلسة {size}. الحد {limit}."
)


def examine_size(case: Case) -> Finding:
    if case.status is None or not case.profile.exists:
        return unknown("no profile")
    limit = case.limits.max_session_size_mb * MEGABYTE
    value = megabytes(case.profile.bytes)
    level = graded(case.profile.bytes, limit, 2 * limit)
    if level.bad:
        text = LARGE.fill(size=value, limit=megabytes(limit))
        return Finding(level, value.en, megabytes(limit).en, Problem.LARGE_PROFILE, text)
    return healthy(value.en, megabytes(limit).en)


MISSING_FILES = LocalizedText(
    "Essential files of the profile are missing: {files}.", "ملفات أساسية مفقودة من ملف الجلسة: {files}."
)
MISSING_PROFILE = LocalizedText(
    "The session is running, but its profile folder is missing.", "الجلسة تعمل، لكن مجلد ملفها مفقود."
)
MAX_SHOWN_FILES = 5


def examine_files(case: Case) -> Finding:
    if not case.login_expected:
        return unknown("no linked profile is expected")
    if not case.profile.exists:
        return _absent(case)
    missing = case.profile.missing_files
    if not missing:
        return healthy("all there")
    if not case.validated_in_state:
        return unknown("not validated since the state began")
    named = ", ".join(safe_text(name) for name in missing[:MAX_SHOWN_FILES])
    files = named if len(missing) <= MAX_SHOWN_FILES else f"{named} (+{len(missing) - MAX_SHOWN_FILES})"
    text = MISSING_FILES.fill(files=files)
    return Finding(Level.CRITICAL, f"{len(missing)} missing", "0 missing", Problem.MISSING_FILES, text)


def _absent(case: Case) -> Finding:
    if case.copies_expected and case.validated_in_state:
        return Finding(Level.CRITICAL, "no profile", "all there", Problem.MISSING_PROFILE, MISSING_PROFILE)
    return unknown("no profile")


DAMAGED = LocalizedText(
    "The profile is damaged. A browser would not find its login in it.",
    "ملف الجلسة تالف. لن يجد المتصفح تسجيل الدخول فيه.",
)
NOT_VALIDATED = LocalizedText(
    "The profile has not been validated for {duration}.", "لم يُتحقَّق من سلامة ملف الجلسة منذ {duration}."
)


def examine_profile(case: Case) -> Finding:
    if not case.login_expected or not case.profile.exists:
        return unknown("no linked profile is expected")
    if not case.profile.valid and case.validated_in_state:
        shown = ", ".join(safe_text(problem) for problem in case.profile.problems[:MAX_SHOWN_FILES])
        return Finding(Level.CRITICAL, shown or "damaged", "valid", Problem.DAMAGED_PROFILE, DAMAGED)
    sound = healthy("valid") if case.profile.valid else unknown("not validated since the state began")
    return _overdue(case) or sound


def _overdue(case: Case) -> Finding | None:
    """A warning when nobody has validated the connected session's profile for several intervals."""
    if case.status is None or not case.copies_expected:
        return None
    began = max(case.profile.validated_at or case.status.since, case.status.since)
    waited = case.age(began)
    limit = _validation_limit(case.limits)
    if waited <= limit:
        return None
    text = NOT_VALIDATED.fill(duration=duration(waited))
    return Finding(Level.WARNING, duration(waited).en, duration(limit).en, Problem.NOT_VALIDATED, text, began)


def _validation_limit(limits: Thresholds) -> float:
    return limits.validation_interval_seconds * limits.validation_factor


CHECKS = (
    Check(
        CheckCode.SIZE,
        LocalizedText("Size of the session", "حجم الجلسة"),
        LocalizedText(
            "The size of the profile, compared with MAX_SESSION_SIZE_MB.",
            "حجم ملف الجلسة مقارنةً بـ MAX_SESSION_SIZE_MB.",
        ),
        LocalizedText(
            "Caches are trimmed automatically. If the profile stays large, delete old chats on the phone or raise "
            "MAX_SESSION_SIZE_MB. There is no need to clear the session.",
            "تُقلَّص الملفات المؤقتة تلقائيًا. إذا بقي الحجم كبيرًا فاحذف المحادثات القديمة من الهاتف أو ارفع "
            "MAX_SESSION_SIZE_MB. لا حاجة إلى حذف الجلسة.",
        ),
        lambda t: f"warning {t.max_session_size_mb} MB, critical {2 * t.max_session_size_mb} MB",
        examine_size,
    ),
    Check(
        CheckCode.FILES,
        LocalizedText("Essential files", "الملفات الأساسية"),
        LocalizedText(
            "The files that hold the login are present.",
            "وجود الملفات التي تحفظ تسجيل الدخول.",
        ),
        LocalizedText(
            "The system restores the newest good copy automatically. Clear the session only if no copy exists.",
            "يستعيد النظام أحدث نسخة سليمة تلقائيًا. لا تحذف الجلسة إلا إذا لم توجد أي نسخة.",
        ),
        lambda _: "critical when any is missing from a profile that exists",
        examine_files,
    ),
    Check(
        CheckCode.PROFILE,
        LocalizedText("Profile is sound", "سلامة ملف الجلسة"),
        LocalizedText(
            "The newest validation could open the databases and found a login.",
            "تمكّن آخر تحقق من فتح قواعد البيانات ووجد تسجيل الدخول.",
        ),
        LocalizedText(
            "If the profile is damaged, proceed as for missing files. If the validation is overdue, run a health "
            "check.",
            "إذا كان الملف تالفًا فاتبع ما يُنصح به عند فقدان الملفات. إذا تأخر التحقق فشغّل فحص الصحة.",
        ),
        lambda t: f"critical when damaged; warning when not validated for {duration(_validation_limit(t)).en}",
        examine_profile,
    ),
)
