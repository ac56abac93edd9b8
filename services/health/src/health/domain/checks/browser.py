"""The browser: its memory, and whether the page's inner names still answer (they change when WhatsApp changes)."""

from __future__ import annotations

from health.domain.case import Case
from health.domain.finding import Check, Finding, healthy, unknown
from health.domain.levels import Level, graded
from health.domain.localized_text import LocalizedText, megabytes
from shared.contracts.sessions import BrowserStatus
from shared.contracts.units import MEGABYTE

MUCH_MEMORY = LocalizedText(
    "The browser uses {size} of memory; the limit is {limit}.", "يستخدم المتصفح {size} من الذاكرة؛ الحد {limit}."
)


def examine_memory(case: Case) -> Finding:
    if case.status is None or case.status.browser.memory_bytes <= 0:
        return unknown("no browser has been measured")
    warning, critical = case.limits.memory_warning_mb * MEGABYTE, case.limits.memory_critical_mb * MEGABYTE
    value = megabytes(case.status.browser.memory_bytes)
    level = graded(case.status.browser.memory_bytes, warning, critical)
    if level.bad:
        text = MUCH_MEMORY.fill(size=value, limit=megabytes(critical if level is Level.CRITICAL else warning))
        return Finding(level, value.en, megabytes(warning).en, "memory", text)
    return healthy(value.en, megabytes(warning).en)


CANNOT_READ = LocalizedText(
    "WhatsApp's page has changed: the session's state can no longer be read in full.",
    "تغيّرت صفحة واتساب: لم يعد ممكنًا قراءة حالة الجلسة كاملة.",
)
CANNOT_SEND = LocalizedText(
    "WhatsApp's page has changed: messages cannot be sent, the state can still be read.",
    "تغيّرت صفحة واتساب: لا يمكن إرسال الرسائل، وما زالت الحالة تُقرأ.",
)


def examine_selfcheck(case: Case) -> Finding:
    if case.status is None or not case.copies_expected or not _checked(case, case.status.browser):
        return unknown("not checked in this state")
    browser = case.status.browser
    missing = f"{len(browser.missing_lookups)} lookups missing"
    if not browser.read_ok:
        return Finding(Level.CRITICAL, missing, "0 lookups missing", "read", CANNOT_READ)
    if not browser.send_ok:
        return Finding(Level.WARNING, missing, "0 lookups missing", "send", CANNOT_SEND)
    return healthy("reads and sends")


def _checked(case: Case, browser: BrowserStatus) -> bool:
    """Whether a self-check has run: it leaves a trace, and within a session timeout of connecting it must have."""
    traced = bool(browser.wa_js_version or browser.missing_lookups)
    return traced or browser.read_ok or browser.send_ok or case.in_state > case.limits.session_timeout_seconds


CHECKS = (
    Check(
        "WA-MEMORY",
        LocalizedText("Memory of the browser", "ذاكرة المتصفح"),
        LocalizedText(
            "Memory (PSS) of all processes of the session's browser.", "ذاكرة (PSS) جميع عمليات متصفح الجلسة."
        ),
        LocalizedText(
            "Give the worker more memory, or set the limits higher where this is normal for the account.",
            "امنح العامل ذاكرة أكثر، أو ارفع الحدود إذا كان ذلك معتادًا لهذا الحساب.",
        ),
        lambda t: f"warning {t.memory_warning_mb} MB, critical {t.memory_critical_mb} MB",
        examine_memory,
    ),
    Check(
        "WA-SELFCHECK",
        LocalizedText("Page can be driven", "إمكان التحكم بالصفحة"),
        LocalizedText(
            "The named lookups in WhatsApp's page answer: reading (critical when not) and sending (warning).",
            "تستجيب الأسماء المطلوبة في صفحة واتساب: القراءة (حرج عند غيابها) والإرسال (تحذير).",
        ),
        LocalizedText(
            "Update Persistent Session to a release with a newer wa-js. The login stays; do not clear.",
            "حدّث النظام إلى إصدار فيه wa-js أحدث. يبقى تسجيل الدخول؛ لا تمسح الجلسة.",
        ),
        lambda _: "reading lost: critical; sending lost: warning",
        examine_selfcheck,
    ),
)
