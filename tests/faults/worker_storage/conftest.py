"""The helpers of the storage tests, which lie beside the unit and the integration tests."""

from __future__ import annotations

import sys
from pathlib import Path

_TESTS = Path(__file__).parents[2]
sys.path[:0] = [str(_TESTS / "unit/worker_storage"), str(_TESTS / "integration/worker_storage")]
