"""Whether the page answers, the owner still reports, and the connection holds without many attempts."""

from __future__ import annotations

from health.domain.case import Case
from health.domain.finding import Check, CheckCode, Finding, Problem, healthy, unknown
from health.domain.levels import Level, graded
from health.domain.localized_text import LocalizedText, duration
from health.domain.recommendations import Action, CaseFindings, Rule, Urgency
from shared.contracts.sessions import State

from . import copies, profile, system

PROBE = CheckCode("WA-PROBE")
STALE = CheckCode("WA-STALE")
RECONNECTS = CheckCode("WA-RECONNECTS")

SILENT_PAGE = Problem(
    "silent_page",
    LocalizedText("The page has not answered a probe for {duration}.", "لم تستجب الصفحة للفحص منذ {duration}."),
)


def examine_probe(case: Case) -> Finding:
    if case.status is None or not case.page_expected:
        return unknown("no page is expected to answer")
    began = case.status.probed_at or case.status.since
    silent = case.age(began)
    limit = duration(case.limits.probe_warning_seconds).en
    level = graded(silent, case.limits.probe_warning_seconds, case.limits.probe_critical_seconds)
    if level.bad:
        problem = SILENT_PAGE.fill(duration=duration(silent))
        return Finding(level, duration(silent).en, limit, problem, began)
    if case.status.probed_at is None:
        return unknown("not probed yet")
    return healthy(duration(silent).en, limit)


STALE_STATUS = Problem(
    "stale_status",
    LocalizedText("The session's status has not been renewed for {duration}.", "لم تُحدَّث حالة الجلسة منذ {duration}."),
)


def examine_stale(case: Case) -> Finding:
    seen_at = case.seen.status_seen_at
    if case.status is None or seen_at is None or not case.listening:
        return unknown("no status yet" if case.listening else "the bus is lost")
    if not case.should_run:
        return unknown("no renewal is expected")
    # what went missing while the bus was lost is not the worker's fault
    began = max(seen_at, case.seen.listening_since or seen_at)
    silent = case.age(began)
    limit = duration(case.limits.stale_warning_seconds).en
    level = graded(silent, case.limits.stale_warning_seconds, case.limits.stale_critical_seconds)
    if level.bad:
        problem = STALE_STATUS.fill(duration=duration(silent))
        return Finding(level, duration(silent).en, limit, problem, began)
    return healthy(duration(silent).en, limit)


MANY_ATTEMPTS = Problem(
    "many_attempts",
    LocalizedText(
        "{attempts} attempts to reconnect were made. Fast attempts end at {limit}.",
        "عدد محاولات إعادة الاتصال {attempts}. تنتهي المحاولات السريعة عند {limit}.",
    ),
)


def examine_reconnects(case: Case) -> Finding:
    if case.status is None or not case.should_run:
        return unknown("not running")
    attempts, limit = case.status.reconnect_attempts, case.limits.max_reconnect_attempts
    level = graded(attempts, max(1, limit - 2) - 1, max(1, limit) - 1)
    if case.state is State.CONNECTED and level.bad:
        level = Level.WARNING
    if level.bad:
        problem = MANY_ATTEMPTS.fill(attempts=attempts, limit=limit)
        return Finding(level, str(attempts), str(limit), problem)
    return healthy(str(attempts), str(limit))


CHECKS = (
    Check(
        PROBE,
        LocalizedText("Page answers", "استجابة الصفحة"),
        LocalizedText(
            "The page has answered a recent probe. A session without new messages is no fault.",
            "استجابت الصفحة لآخر فحص. عدم وصول رسائل جديدة ليس عطلًا.",
        ),
        LocalizedText(
            "Run a health check. The worker reloads the page and restarts the browser automatically.",
            "شغّل فحص الصحة. يعيد المشغّل تحميل الصفحة وتشغيل المتصفح تلقائيًا.",
        ),
        lambda t: f"warning {duration(t.probe_warning_seconds).en}, critical {duration(t.probe_critical_seconds).en}",
        examine_probe,
    ),
    Check(
        STALE,
        LocalizedText("Status is fresh", "حداثة الحالة"),
        LocalizedText("The owner renews the session's status.", "يحدّث المشغّل المسؤول حالة الجلسة باستمرار."),
        LocalizedText("Check the worker. It may hang.", "افحص المشغّل، فقد يكون متوقفًا عن الاستجابة."),
        lambda t: f"warning {duration(t.stale_warning_seconds).en}, critical {duration(t.stale_critical_seconds).en}",
        examine_stale,
    ),
    Check(
        RECONNECTS,
        LocalizedText("Attempts to reconnect", "محاولات إعادة الاتصال"),
        LocalizedText(
            "The number of attempts since the last stable connection, compared with MAX_RECONNECT_ATTEMPTS.",
            "عدد المحاولات منذ آخر اتصال مستقر مقارنةً بـ MAX_RECONNECT_ATTEMPTS.",
        ),
        LocalizedText(
            "Check the network of the server. Nothing is deleted after the last attempt: slow attempts continue.",
            "افحص شبكة الخادم. لا يُحذف شيء بعد آخر محاولة، بل تستمر محاولات متباعدة.",
        ),
        lambda t: (
            f"warning from {max(1, t.max_reconnect_attempts - 2)}, critical from {max(1, t.max_reconnect_attempts)} "
            "(a warning only while connected)"
        ),
        examine_reconnects,
    ),
)


def _worth_checking(found: CaseFindings) -> bool:
    reachable = found.case.should_run and not found.blocked and not found.bad(system.WORKER)
    return reachable and (
        found.has(profile.NOT_VALIDATED) or any(found.bad(code) for code in (PROBE, copies.SAVE, STALE, RECONNECTS))
    )


RULES = (
    Rule(
        "health-check",
        Urgency.UPKEEP,
        (PROBE, copies.SAVE, STALE, RECONNECTS, profile.PROFILE),
        Action.HEALTH_CHECK,
        LocalizedText(
            "Run a health check: it probes the page, validates the profile, and makes a save and a backup.",
            "شغّل فحص الصحة: يفحص الصفحة ويتحقق من ملف الجلسة وينشئ حفظًا محليًا ونسخة احتياطية.",
        ),
        _worth_checking,
    ),
)
