"""The browser: its memory, and whether the page's internal names still answer. WhatsApp changes them at any time."""

from __future__ import annotations

from health.domain.case import Case
from health.domain.finding import Check, CheckCode, Finding, Problem, healthy, unknown
from health.domain.levels import Level, graded
from health.domain.localized_text import LocalizedText, megabytes
from health.domain.recommendations import CaseFindings, Rule, Urgency
from shared.contracts.sessions import BrowserStatus
from shared.contracts.units import MEGABYTE

from . import connection

MEMORY = CheckCode("WA-MEMORY")
SELFCHECK = CheckCode("WA-SELFCHECK")

MUCH_MEMORY = Problem(
    "much_memory",
    LocalizedText(
        "The browser uses {size} of memory. The limit is {limit}.", "يستخدم المتصفح {size} من الذاكرة. الحد {limit}."
    ),
)


def examine_memory(case: Case) -> Finding:
    if case.status is None or case.status.browser.memory_bytes <= 0:
        return unknown("no browser has been measured")
    warning, critical = case.limits.memory_warning_mb * MEGABYTE, case.limits.memory_critical_mb * MEGABYTE
    value = megabytes(case.status.browser.memory_bytes)
    level = graded(case.status.browser.memory_bytes, warning, critical)
    if level.bad:
        problem = MUCH_MEMORY.fill(size=value, limit=megabytes(critical if level is Level.CRITICAL else warning))
        return Finding(level, value.en, megabytes(warning).en, problem)
    return healthy(value.en, megabytes(warning).en)


CANNOT_READ = Problem(
    "cannot_read",
    LocalizedText(
        "WhatsApp has changed its page. The session's state can no longer be read in full.",
        "غيّر واتساب صفحته. لم يعد ممكنًا قراءة حالة الجلسة كاملة.",
    ),
)
CANNOT_SEND = Problem(
    "cannot_send",
    LocalizedText(
        "WhatsApp has changed its page. Messages cannot be sent, but the state can still be read.",
        "غيّر واتساب صفحته. لا يمكن إرسال الرسائل، لكن ما زال ممكنًا قراءة الحالة.",
    ),
)


def examine_selfcheck(case: Case) -> Finding:
    if case.status is None or not case.copies_expected or not _checked(case, case.status.browser):
        return unknown("not checked in this state")
    browser = case.status.browser
    missing = f"{len(browser.missing_lookups)} lookups missing"
    if not browser.read_ok:
        return Finding(Level.CRITICAL, missing, "0 lookups missing", CANNOT_READ)
    if not browser.send_ok:
        return Finding(Level.WARNING, missing, "0 lookups missing", CANNOT_SEND)
    return healthy("reads and sends")


def _checked(case: Case, browser: BrowserStatus) -> bool:
    """Whether a self-check has run. It leaves a trace, and it must have run within a session timeout of connecting."""
    traced = bool(browser.wa_js_version or browser.missing_lookups)
    return traced or browser.read_ok or browser.send_ok or case.in_state > case.limits.session_timeout_seconds


CHECKS = (
    Check(
        MEMORY,
        LocalizedText("Memory of the browser", "ذاكرة المتصفح"),
        LocalizedText(
            "The memory (PSS) of all processes of the session's browser.", "ذاكرة (PSS) جميع عمليات متصفح الجلسة."
        ),
        LocalizedText(
            "Give the worker more memory, or raise the limits if this use is normal for the account.",
            "امنح المشغّل ذاكرة أكبر، أو ارفع الحدود إذا كان هذا الاستخدام معتادًا لهذا الحساب.",
        ),
        lambda t: f"warning {t.memory_warning_mb} MB, critical {t.memory_critical_mb} MB",
        examine_memory,
    ),
    Check(
        SELFCHECK,
        LocalizedText("Page can be driven", "إمكان التحكم بالصفحة"),
        LocalizedText(
            "The internal parts of WhatsApp's page that the worker uses are available. If the state cannot be read, "
            "the check is critical; if messages cannot be sent, it is a warning.",
            "الأجزاء الداخلية التي يستخدمها المشغّل في صفحة واتساب متاحة. تعذُّر قراءة الحالة حرج، وتعذُّر إرسال الرسائل "
            "تحذير.",
        ),
        LocalizedText(
            "Update Persistent Session to a release with a newer wa-js. The login is kept; do not clear the session.",
            "حدّث نظام الجلسة الدائمة إلى إصدار فيه wa-js أحدث. يبقى تسجيل الدخول محفوظًا، فلا تحذف الجلسة.",
        ),
        lambda _: "reading lost: critical; sending lost: warning",
        examine_selfcheck,
    ),
)


def _misses_hosts(found: CaseFindings) -> bool:
    """The page cannot connect, and it asked for hosts that are not on the list."""
    status = found.case.status
    if status is None or not status.browser.refused_hosts or found.blocked or not found.case.should_run:
        return False
    return found.findings[connection.CONNECTION].level is Level.CRITICAL


RULES = (
    Rule(
        "allow-hosts",
        Urgency.FOUNDATION,
        (SELFCHECK, connection.CONNECTION),
        None,
        LocalizedText(
            "The page asked for hosts that are not on the list. If WhatsApp needs them, add them to BROWSER_HOSTS, or "
            "set BROWSER_HOSTS_MODE to report and start the worker again.",
            "طلبت الصفحة مضيفات ليست في القائمة. إذا كان واتساب يحتاج إليها فأضفها إلى BROWSER_HOSTS، أو اضبط "
            "BROWSER_HOSTS_MODE على report وأعد تشغيل المشغّل.",
        ),
        _misses_hosts,
    ),
    Rule(
        "more-memory",
        Urgency.RESOURCE,
        (MEMORY,),
        None,
        LocalizedText("Give the worker more memory or fewer sessions.", "امنح المشغّل ذاكرة أكبر أو جلسات أقل."),
        lambda found: found.bad(MEMORY),
    ),
    Rule(
        "update-driver",
        Urgency.UPDATE,
        (SELFCHECK,),
        None,
        LocalizedText(
            "Update Persistent Session: WhatsApp has changed its page. The login is kept; do not clear the session.",
            "حدّث نظام الجلسة الدائمة: غيّر واتساب صفحته. يبقى تسجيل الدخول محفوظًا، فلا تحذف الجلسة.",
        ),
        lambda found: found.bad(SELFCHECK),
    ),
)
