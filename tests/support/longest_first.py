"""The test files that take longest, the longest first: the order in which `tests/run_all.py` hands files out.

Measured with `--durations`. A file that is not named here comes after them, in pytest's order; an entry that is out of
date costs a minute at the end of a run, and nothing else.
"""

from __future__ import annotations

LONGEST_FIRST = (
    "e2e/system/test_system_survives.py",
    "e2e/system/test_system_store_faults.py",
    "e2e/local/test_local_demo.py",
    "integration/worker_browser/test_worker_browser_snapshots.py",
    "faults/worker/test_worker_site_faults.py",
    "faults/backup/test_backup_outages.py",
    "faults/worker_browser/test_worker_browser_page_faults.py",
    "faults/worker/test_worker_requests.py",
    "faults/worker/test_worker_ownership.py",
    "standin/tests/test_faults.py",
    "e2e/gateway/test_gateway_page.py",
    "faults/worker/test_worker_deaths.py",
    "contract/gateway/test_gateway_errors.py",
    "standin/tests/test_phone_page.py",
    "integration/backup/test_backup_service.py",
    "faults/worker/test_worker_bus_outages.py",
    "integration/worker_browser/test_worker_browser_session.py",
    "standin/tests/test_session_life.py",
    "faults/gateway/test_gateway_losses.py",
    "integration/worker_storage/test_worker_storage_snapshots.py",
    "faults/backup/test_backup_damage.py",
    "faults/worker_browser/test_worker_browser_processes.py",
    "integration/worker/test_worker_folders.py",
    "integration/gateway/test_gateway_process.py",
    "faults/shared/test_shared_bus_outages.py",
    "standin/tests/test_history.py",
)
