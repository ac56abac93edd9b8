"""The tables of checks and of rules, collected from the modules in the order in which people read the checks.

A module holds all that its checks need: codes, problems with their texts, checks, and the rules that recommend what to
do about them.
"""

from __future__ import annotations

from health.domain.finding import Check
from health.domain.recommendations import Rule

from . import browser, connection, copies, gateway, intrusion, liveness, profile, system

_MODULES = (connection, liveness, profile, copies, intrusion, browser, system, gateway)

CHECKS: tuple[Check, ...] = tuple(check for module in _MODULES for check in module.CHECKS)

RULES: tuple[Rule, ...] = tuple(
    sorted((rule for module in _MODULES for rule in module.RULES), key=lambda rule: rule.urgency)
)
"""The most urgent first."""
