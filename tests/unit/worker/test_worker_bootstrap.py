"""What the settings mean in seconds, where one of them must fit another."""

from __future__ import annotations

import pytest

from browser_worker.adapters.browser.watchdog_program import TICK_SECONDS
from browser_worker.bootstrap import _watchdog_limit
from browser_worker.domain.budgets import close_seconds, export_seconds, freeze_after
from browser_worker.settings import WorkerSettings


@pytest.mark.parametrize("ttl_ms", [3000, 6000, 20000])
def test_a_hung_worker_has_no_browser_when_its_lease_passes_on(ttl_ms: int) -> None:
    """The limit counts from the newest renewal, and the watchdog may just have looked."""
    ttl = ttl_ms / 1000
    limit = _watchdog_limit(WorkerSettings(lease_ttl_ms=ttl_ms, lease_policy="fence"))
    assert limit + TICK_SECONDS < ttl


@pytest.mark.parametrize("ttl_ms", [3000, 6000, 20000])
def test_a_worker_that_only_has_lost_the_bus_freezes_its_browser_before_the_watchdog_would_kill_it(ttl_ms: int) -> None:
    limit = _watchdog_limit(WorkerSettings(lease_ttl_ms=ttl_ms, lease_policy="fence"))
    assert limit > freeze_after(ttl_ms / 1000)


def test_a_lone_worker_is_ended_only_by_its_death() -> None:
    assert _watchdog_limit(WorkerSettings(lease_policy="keep")) == 0.0


@pytest.mark.parametrize("stop", [1.0, 2.0, 12.0, 60.0])
def test_a_stop_leaves_time_for_the_last_copies(stop: float) -> None:
    assert export_seconds(stop) + close_seconds(stop) <= stop * 3 / 4


def test_the_default_stop_gives_the_export_three_seconds_and_the_browser_five() -> None:
    stop = WorkerSettings().stop_budget_ms / 1000
    assert (export_seconds(stop), close_seconds(stop)) == (3.0, 5.0)
