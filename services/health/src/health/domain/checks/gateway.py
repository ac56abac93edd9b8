"""Whether the gateway answers its clients, and how soon."""

from __future__ import annotations

from health.domain.case import Case
from health.domain.finding import Check, CheckCode, Finding, Problem, healthy, unknown
from health.domain.levels import Level
from health.domain.localized_text import LocalizedText, duration
from health.domain.recommendations import Rule, Urgency

GATEWAY = CheckCode("WA-GATEWAY")

SLOW_GATEWAY = Problem(
    "slow_gateway",
    LocalizedText(
        "The gateway has answered too slowly for {duration}. Pages and programs must wait.",
        "تستجيب البوابة ببطء شديد منذ {duration}. على الصفحات والبرامج أن تنتظر.",
    ),
)
SILENT_GATEWAY = Problem(
    "silent_gateway",
    LocalizedText(
        "The gateway has not answered for {duration}. No page and no program reaches the system.",
        "لم تستجب البوابة منذ {duration}. لا تصل أي صفحة ولا أي برنامج إلى النظام.",
    ),
)


def examine_gateway(case: Case) -> Finding:
    sample, limits = case.seen.gateway, case.limits
    if sample is None:
        return unknown("not asked")
    if case.age(sample.seen_at) > limits.gateway_answer_old_seconds:
        return unknown("the last answer is old")
    limit = duration(limits.gateway_answer_seconds).en
    value = "no answer" if sample.seconds is None else f"{sample.seconds * 1000:.0f} ms"
    if sample.late_since is None:
        return healthy(value, limit)
    late = case.age(sample.late_since)
    if late < limits.gateway_late_warning_seconds:
        return unknown(f"{value}, once")
    if sample.seconds is not None:
        return Finding(Level.WARNING, value, limit, SLOW_GATEWAY.fill(duration=duration(late)), sample.late_since)
    level = Level.CRITICAL if late > limits.gateway_silent_critical_seconds else Level.WARNING
    return Finding(level, value, limit, SILENT_GATEWAY.fill(duration=duration(late)), sample.late_since)


CHECKS = (
    Check(
        GATEWAY,
        LocalizedText("Gateway answers", "استجابة البوابة"),
        LocalizedText(
            "The gateway answers a new connection within a second. The health service asks it every few seconds.",
            "تستجيب البوابة لأي اتصال جديد خلال ثانية. تسألها خدمة الصحة كل بضع ثوانٍ.",
        ),
        LocalizedText(
            "Read the gateway's log and its count of refused connections: many slow clients, or a busy machine?",
            "راجع سجل البوابة وعدد الاتصالات المرفوضة: هل هناك عملاء بطيئون كثيرون، أم أن الجهاز مثقل؟",
        ),
        lambda t: (
            f"late above {duration(t.gateway_answer_seconds).en}; warning when late for "
            f"{duration(t.gateway_late_warning_seconds).en}, critical without an answer for "
            f"{duration(t.gateway_silent_critical_seconds).en}"
        ),
        examine_gateway,
        critical_at_rest=True,
    ),
)

RULES = (
    Rule(
        "mend-gateway",
        Urgency.FOUNDATION,
        (GATEWAY,),
        None,
        LocalizedText(
            "Read the gateway's log and the load of its machine. Restart the gateway if it stays silent.",
            "راجع سجل البوابة وحِمل جهازها. أعد تشغيل البوابة إذا ظلت لا تستجيب.",
        ),
        lambda found: found.bad(GATEWAY),
    ),
)
