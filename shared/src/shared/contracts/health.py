"""The verdict about a session: coded checks, issues and recommendations."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from .message import Instant, Message
from .subjects import Command, ServiceName


class Overall(StrEnum):
    HEALTHY = "healthy"
    WARNING = "warning"
    CRITICAL = "critical"


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """`code`: such as WA-SIZE. `level`: healthy, warning, critical, or unknown (nothing is known, so no alarm).
    `value` and `limit` are texts for people."""

    code: str
    level: str
    title: str
    value: str = ""
    limit: str = ""
    title_ar: str = ""


class Issue(msgspec.Struct, frozen=True, kw_only=True):
    """A problem, with the code of its check. Texts in English (`text`) and Arabic (`text_ar`)."""

    code: str
    level: str
    text: str
    text_ar: str
    since: Instant


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """What to do. `action`: initialize, clear, health-check, backup, restore or "" (a person must act)."""

    id: str
    text: str
    text_ar: str
    action: str = ""
    evidence: str = ""


class Judge(Message, frozen=True, kw_only=True, tag="wa.health.v1.judge"):
    """Ask for a fresh verdict."""


class HealthReport(Message, frozen=True, kw_only=True, tag="wa.health.v1.report"):
    """Published at every change and every HEALTH_CHECK_INTERVAL_MS; also the reply to Judge."""

    session: str
    at: Instant
    overall: str
    checks: tuple[CheckResult, ...] = ()
    issues: tuple[Issue, ...] = ()
    recommendations: tuple[Recommendation, ...] = ()


JUDGE = Command("health.judge", ServiceName.HEALTH, Judge, HealthReport, (ServiceName.GATEWAY,))
