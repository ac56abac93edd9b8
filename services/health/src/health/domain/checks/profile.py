"""The profile on disk: its size, its essential files, whether a browser would find its login in it."""

from __future__ import annotations

from health.domain.case import Case
from health.domain.finding import Check, Finding, healthy, unknown
from health.domain.levels import Level, graded
from health.domain.localized_text import LocalizedText, duration, megabytes, safe_text
from health.domain.thresholds import Thresholds
from shared.contracts.units import MEGABYTE

TOO_LARGE = LocalizedText(
    "The profile has grown to {size}; the limit is {limit}.", "بلغ حجم ملف الجلسة {size}؛ الحد {limit}."
)


def examine_size(case: Case) -> Finding:
    if case.status is None or not case.profile.exists:
        return unknown("no profile")
    limit = case.limits.max_session_size_mb * MEGABYTE
    value = megabytes(case.profile.bytes)
    level = graded(case.profile.bytes, limit, 2 * limit)
    if level.bad:
        return Finding(
            level, value.en, megabytes(limit).en, "large", TOO_LARGE.fill(size=value, limit=megabytes(limit))
        )
    return healthy(value.en, megabytes(limit).en)


MISSING = LocalizedText(
    "Essential files of the profile are missing: {files}.", "ملفات أساسية مفقودة من ملف الجلسة: {files}."
)
GONE = LocalizedText("The session runs and its profile folder is gone.", "الجلسة تعمل ومجلد ملفها مفقود.")
SHOWN_FILES = 5


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
    named = ", ".join(safe_text(name) for name in missing[:SHOWN_FILES])
    files = named if len(missing) <= SHOWN_FILES else f"{named} (+{len(missing) - SHOWN_FILES})"
    return Finding(
        Level.CRITICAL, f"{len(missing)} missing", "0 missing", "missing", MISSING.fill(files=_quoted(files))
    )


def _quoted(text: str) -> LocalizedText:
    return LocalizedText(text, text)


def _absent(case: Case) -> Finding:
    if case.copies_expected and case.validated_in_state:
        return Finding(Level.CRITICAL, "no profile", "all there", "gone", GONE)
    return unknown("no profile")


DAMAGED = LocalizedText(
    "The profile is damaged: a browser would not find its login in it.",
    "ملف الجلسة تالف: لن يجد المتصفح تسجيل الدخول فيه.",
)
NOT_VALIDATED = LocalizedText(
    "The profile has not been validated for {span}.", "لم يُتحقَّق من سلامة ملف الجلسة منذ {span}."
)


def examine_profile(case: Case) -> Finding:
    if not case.login_expected or not case.profile.exists:
        return unknown("no linked profile is expected")
    if not case.profile.valid and case.validated_in_state:
        found = ", ".join(safe_text(problem) for problem in case.profile.problems[:SHOWN_FILES])
        return Finding(Level.CRITICAL, found or "damaged", "valid", "damaged", DAMAGED)
    sound = healthy("valid") if case.profile.valid else unknown("not validated since the state began")
    return _overdue(case) or sound


def _overdue(case: Case) -> Finding | None:
    """A warning when the connected session's profile has not been looked at for several intervals."""
    if case.status is None or not case.copies_expected:
        return None
    began = max(case.profile.validated_at or case.status.since, case.status.since)
    waited = case.age(began)
    if waited <= _validation_limit(case.limits):
        return None
    text = NOT_VALIDATED.fill(span=duration(waited))
    return Finding(
        Level.WARNING,
        duration(waited).en,
        duration(_validation_limit(case.limits)).en,
        "not-validated",
        text,
        began,
    )


def _validation_limit(limits: Thresholds) -> float:
    return limits.validation_interval_seconds * limits.validation_factor


CHECKS = (
    Check(
        "WA-SIZE",
        LocalizedText("Size of the session", "حجم الجلسة"),
        LocalizedText(
            "The profile's size against MAX_SESSION_SIZE_MB.", "حجم ملف الجلسة مقارنةً بـ MAX_SESSION_SIZE_MB."
        ),
        LocalizedText(
            "Caches are trimmed by themselves. Where it stays large, delete old chats on the phone or raise "
            "MAX_SESSION_SIZE_MB. Clearing is not needed.",
            "تُقلَّص الملفات المؤقتة تلقائيًا. إذا بقي الحجم كبيرًا فاحذف المحادثات القديمة من الهاتف أو ارفع "
            "MAX_SESSION_SIZE_MB. لا حاجة إلى المسح.",
        ),
        lambda t: f"warning {t.max_session_size_mb} MB, critical {2 * t.max_session_size_mb} MB",
        examine_size,
    ),
    Check(
        "WA-FILES",
        LocalizedText("Essential files", "الملفات الأساسية"),
        LocalizedText(
            "The files without which a profile holds no login exist.",
            "وجود الملفات التي لا يُحفظ تسجيل الدخول بدونها.",
        ),
        LocalizedText(
            "The system restores the newest good copy by itself; clear only where no copy exists.",
            "يستعيد النظام أحدث نسخة سليمة تلقائيًا؛ لا تمسح إلا إذا لم توجد أي نسخة.",
        ),
        lambda _: "critical when any is missing from a profile that exists",
        examine_files,
    ),
    Check(
        "WA-PROFILE",
        LocalizedText("Profile is sound", "سلامة ملف الجلسة"),
        LocalizedText(
            "The newest validation found databases that open and a login.",
            "وجد آخر تحقق قواعد بيانات تُفتح وتسجيل دخول.",
        ),
        LocalizedText(
            "As for missing files. A validation that is late: run a health check.",
            "كما في الملفات المفقودة. إذا تأخر التحقق فشغّل فحص الصحة.",
        ),
        lambda t: f"critical when damaged; warning when not validated for {duration(_validation_limit(t)).en}",
        examine_profile,
    ),
)
