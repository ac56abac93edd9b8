"""The table of checks, in the order in which people read them."""

from __future__ import annotations

from health.domain.finding import Check

from . import browser, connection, copies, profile, system

CHECKS: tuple[Check, ...] = (
    *connection.CHECKS, *profile.CHECKS, *copies.CHECKS, *browser.CHECKS, *system.CHECKS,
)  # fmt: skip
