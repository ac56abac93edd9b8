"""The verdict when the health service does not answer: what the session's state alone allows to say."""

from __future__ import annotations

from datetime import datetime

from shared.contracts.health import HealthReport, Issue, Overall

from .observed import ObservedSession


def verdict_without_health_service(observed: ObservedSession, now: datetime) -> HealthReport:
    """Never better than a warning, because the checks were not made."""
    level = Overall.WARNING if observed.connected else Overall.CRITICAL
    issues = [
        Issue(
            code="WA-HEALTH-ABSENT",
            level=Overall.WARNING,
            text="The health service does not answer; this verdict rests on the session's state alone.",
            text_ar="خدمة فحص الصحة لا تستجيب، وهذه النتيجة مبنية على حالة الجلسة وحدها.",
            since=now,
        )
    ]
    if not observed.connected:
        issues.append(
            Issue(
                code="WA-STATE",
                level=Overall.CRITICAL,
                text=f"The session is not connected (state: {observed.state}).",
                text_ar=f"الجلسة غير متصلة (الحالة: {observed.state}).",
                since=observed.status.since if observed.status else now,
            )
        )
    return HealthReport(session=observed.session, at=now, overall=level, issues=tuple(issues))
