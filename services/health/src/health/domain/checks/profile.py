"""The profile on disk: its size, its essential files, and whether a browser would find its login in it."""

from __future__ import annotations

from health.domain.case import Case
from health.domain.finding import Check, CheckCode, Finding, Problem, healthy, unknown
from health.domain.levels import Level, graded
from health.domain.localized_text import LocalizedText, duration, megabytes, safe_text
from health.domain.recommendations import Action, CaseFindings, Rule, Urgency
from health.domain.thresholds import Thresholds
from shared.contracts.units import MEGABYTE

SIZE = CheckCode("WA-SIZE")
FILES = CheckCode("WA-FILES")
PROFILE = CheckCode("WA-PROFILE")

LARGE_PROFILE = Problem(
    "large_profile",
    LocalizedText("The profile has grown to {size}. The limit is {limit}.", "بلغ حجم ملف الجلسة {size}. الحد {limit}."),
)


def examine_size(case: Case) -> Finding:
    if case.status is None or not case.profile.exists:
        return unknown("no profile")
    limit = case.limits.max_session_size_mb * MEGABYTE
    value = megabytes(case.profile.bytes)
    level = graded(case.profile.bytes, limit, 2 * limit)
    if level.bad:
        problem = LARGE_PROFILE.fill(size=value, limit=megabytes(limit))
        return Finding(level, value.en, megabytes(limit).en, problem)
    return healthy(value.en, megabytes(limit).en)


MISSING_FILES = Problem(
    "missing_files",
    LocalizedText(
        "Essential files of the profile are missing: {files}.", "ملفات أساسية مفقودة من ملف الجلسة: {files}."
    ),
)
MISSING_PROFILE = Problem(
    "missing_profile",
    LocalizedText("The session is running, but its profile folder is missing.", "الجلسة تعمل، لكن مجلد ملفها مفقود."),
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
    problem = MISSING_FILES.fill(files=files)
    return Finding(Level.CRITICAL, f"{len(missing)} missing", "0 missing", problem)


def _absent(case: Case) -> Finding:
    if case.copies_expected and case.validated_in_state:
        return Finding(Level.CRITICAL, "no profile", "all there", MISSING_PROFILE)
    return unknown("no profile")


DAMAGED_PROFILE = Problem(
    "damaged_profile",
    LocalizedText(
        "The profile is damaged. A browser would not find its login in it.",
        "ملف الجلسة تالف. لن يجد المتصفح تسجيل الدخول فيه.",
    ),
)
NOT_VALIDATED = Problem(
    "not_validated",
    LocalizedText("The profile has not been validated for {duration}.", "لم يُتحقَّق من سلامة ملف الجلسة منذ {duration}."),
)


def examine_profile(case: Case) -> Finding:
    if not case.login_expected or not case.profile.exists:
        return unknown("no linked profile is expected")
    if not case.profile.valid and case.validated_in_state:
        shown = ", ".join(safe_text(problem) for problem in case.profile.problems[:MAX_SHOWN_FILES])
        return Finding(Level.CRITICAL, shown or "damaged", "valid", DAMAGED_PROFILE)
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
    problem = NOT_VALIDATED.fill(duration=duration(waited))
    return Finding(Level.WARNING, duration(waited).en, duration(limit).en, problem, began)


def _validation_limit(limits: Thresholds) -> float:
    return limits.validation_interval_seconds * limits.validation_factor


CHECKS = (
    Check(
        SIZE,
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
        FILES,
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
        PROFILE,
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


def damaged(found: CaseFindings) -> bool:
    """Whether the profile cannot be started from."""
    return found.bad(FILES) or found.has(DAMAGED_PROFILE)


_DAMAGE = (PROFILE, FILES)

RULES = (
    Rule(
        "restore-backup",
        Urgency.DAMAGE,
        _DAMAGE,
        Action.RESTORE,
        LocalizedText(
            "The profile is damaged and backups exist: restore the newest backup. Do not clear the session.",
            "ملف الجلسة تالف وتوجد نسخ احتياطية: استعد أحدثها. لا تحذف الجلسة.",
        ),
        lambda found: damaged(found) and found.case.has_backup and not found.blocked and not found.restoring,
    ),
    Rule(
        "restart-from-save",
        Urgency.DAMAGE,
        _DAMAGE,
        Action.INITIALIZE,
        LocalizedText(
            "The profile is damaged and a local save exists: initialize the session to restore it. Do not clear the "
            "session.",
            "ملف الجلسة تالف ويوجد حفظ محلي: هيّئ الجلسة لاستعادته. لا تحذف الجلسة.",
        ),
        lambda found: (
            damaged(found)
            and found.case.has_save
            and not found.case.has_backup
            and not found.blocked
            and not found.restoring
        ),
    ),
    Rule(
        "find-copies",
        Urgency.DAMAGE,
        _DAMAGE,
        None,
        LocalizedText(
            "The profile is damaged, and whether backups exist is not known. Wait until the backup service answers.",
            "ملف الجلسة تالف، ولا يُعرف هل توجد نسخ احتياطية. انتظر حتى تستجيب خدمة النسخ الاحتياطي.",
        ),
        lambda found: (
            damaged(found)
            and not found.case.has_save
            and not found.case.has_backup
            and not found.case.known_to_have_no_copy
        ),
    ),
    Rule(
        "clear-damaged",
        Urgency.DAMAGE,
        _DAMAGE,
        Action.CLEAR,
        LocalizedText(
            "The profile is damaged and no copy of it exists: clear the session and link the phone again.",
            "ملف الجلسة تالف ولا توجد أي نسخة منه: احذف الجلسة واربط الهاتف من جديد.",
        ),
        lambda found: damaged(found) and found.case.known_to_have_no_copy and not found.blocked and not found.restoring,
    ),
    Rule(
        "shrink-profile",
        Urgency.RESOURCE,
        (SIZE,),
        None,
        LocalizedText(
            "Delete old chats on the phone or raise MAX_SESSION_SIZE_MB. Caches are trimmed automatically.",
            "احذف المحادثات القديمة من الهاتف أو ارفع MAX_SESSION_SIZE_MB. تُقلَّص الملفات المؤقتة تلقائيًا.",
        ),
        lambda found: found.bad(SIZE),
    ),
)
