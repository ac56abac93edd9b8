"""Health check: the worker probes its page now, then the health service judges.

Either may be missing. The answer then rests on the other, and says so; only when both are missing does the check fail.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from gateway.domain.fallback_verdict import verdict_without_health_service
from gateway.domain.observed import ObservedSession, owner_gone
from gateway.ports import Messenger, View
from shared.clock import Clock, Deadline
from shared.contracts import subjects
from shared.contracts.budgets import CHECK_WAIT, JUDGE_WAIT
from shared.contracts.commands import CHECK, Check, Checked
from shared.contracts.errors import ServiceError
from shared.contracts.health import JUDGE, HealthReport, Judge


@dataclass(frozen=True)
class HealthChecked:
    """`probe` is the worker's answer, or the error that came instead."""

    observed: ObservedSession
    report: HealthReport
    probe: Checked | ServiceError


@dataclass(frozen=True)
class HealthCheck:
    view: View
    messenger: Messenger
    clock: Clock

    def __call__(self, session: str, deadline: Deadline) -> HealthChecked:
        """Raises the worker's error when the health service does not answer either."""
        probe = self._probe(session, deadline)
        report = self._judge(session, deadline)
        observed = self.view.session(session)
        if report is None:
            if isinstance(probe, ServiceError):
                raise probe
            report = verdict_without_health_service(observed, self.clock.now())
        return HealthChecked(observed, report, probe)

    def _probe(self, session: str, deadline: Deadline) -> Checked | ServiceError:
        if self.view.session(session).owner is None:
            return owner_gone()
        timeout = deadline.left(CHECK_WAIT)
        try:
            return self.messenger.ask_owner(CHECK, session, Check(), Checked, timeout=timeout)
        except ServiceError as error:
            return error

    def _judge(self, session: str, deadline: Deadline) -> HealthReport | None:
        """A fresh verdict, else the newest one heard."""
        subject = subjects.command(JUDGE, session)
        with contextlib.suppress(ServiceError):
            return self.messenger.request(subject, Judge(), HealthReport, timeout=deadline.left(JUDGE_WAIT))
        return self.view.session(session).report
