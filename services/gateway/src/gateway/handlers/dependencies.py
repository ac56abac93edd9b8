"""What `bootstrap.py` gives the HTTP handlers. Each handler takes only the parts that it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.domain.logins import LoginRules
from gateway.domain.system_info import SystemInfo
from gateway.ports import QrImages
from gateway.usecases import UseCases
from gateway.usecases.limits import RateLimits
from shared.clock import Clock
from shared.runtime import Metrics

from .guard import Guard


@dataclass(frozen=True)
class GatewayDependencies:
    """`readiness`: whether the gateway can serve, and if not, why."""

    use_cases: UseCases
    guard: Guard
    login_rules: LoginRules
    rate_limits: RateLimits
    qr_images: QrImages
    clock: Clock
    metrics: Metrics
    system: Callable[[], SystemInfo]
    readiness: Callable[[], tuple[bool, str]]
    metrics_token: str
    max_streams: int
