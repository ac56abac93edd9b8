"""The verdict: every check over one observation, the issues, and what to do. Pure and total: it never raises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from shared.contracts.health import CheckResult, HealthReport, Issue

from .case import Case
from .checks import CHECKS, RULES
from .checks.connection import CONNECTION
from .finding import Check, CheckCode, Finding
from .levels import Level, overall
from .observation import Observation
from .recommendations import CaseFindings, recommend
from .thresholds import Thresholds


def judge(observation: Observation, thresholds: Thresholds, now: datetime) -> HealthReport:
    case = Case(observation, thresholds, now)
    findings = {check.code: _examined(check, case) for check in CHECKS}
    return HealthReport(
        session=observation.session,
        at=now,
        overall=overall(finding.level for finding in findings.values()).value,
        checks=tuple(_result(check, findings[check.code]) for check in CHECKS),
        issues=tuple(_issues(findings, case)),
        recommendations=recommend(RULES, CaseFindings(case, MappingProxyType(findings))),
    )


def _examined(check: Check, case: Case) -> Finding:
    """A session that is not meant to run is no emergency, unless the check says otherwise."""
    finding = check.examine(case)
    if finding.level is Level.CRITICAL and not case.should_run and not check.critical_at_rest:
        return replace(finding, level=Level.WARNING)
    return finding


def _result(check: Check, finding: Finding) -> CheckResult:
    return CheckResult(
        code=check.code,
        level=finding.level.value,
        title=check.title.en,
        title_ar=check.title.ar,
        value=finding.value,
        limit=finding.limit,
    )


def _issues(findings: Mapping[CheckCode, Finding], case: Case) -> list[Issue]:
    """Worst first, in the order of the table among equals."""
    issues = [
        Issue(
            code=code,
            level=finding.level.value,
            text=finding.problem.text.en,
            text_ar=finding.problem.text.ar,
            since=_since(code, finding, case),
        )
        for code, finding in findings.items()
        if finding.level.bad and finding.problem is not None
    ]
    return sorted(issues, key=lambda issue: -Level(issue.level).rank)


def _since(code: CheckCode, finding: Finding, case: Case) -> datetime:
    """An issue keeps its beginning until it is resolved. The beginning is never in the future."""
    known = case.seen.open_since.get(code)
    return min(known or finding.began or case.now, case.now)


def updated_open_since(known: Mapping[str, datetime], report: HealthReport) -> Mapping[str, datetime]:
    """Since when each issue stands, for the next observation. An issue stays open while its check is bad or unknown and
    is resolved when its check is healthy."""
    open_now = {issue.code: issue.since for issue in report.issues}
    not_judged = {check.code for check in report.checks if check.level == Level.UNKNOWN}
    still_open = {code: since for code, since in known.items() if code in not_judged}
    return MappingProxyType(still_open | open_now)


def fingerprint(report: HealthReport) -> tuple[object, ...]:
    """What makes two reports the same news: levels, the state and the recommendations, not the ages that change each
    second."""
    levels = tuple((check.code, check.level) for check in report.checks)
    state = next((check.value for check in report.checks if check.code == CONNECTION), "")
    return report.overall, levels, state, tuple(recommendation.id for recommendation in report.recommendations)
