from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_stage import BrowserStage, browser_stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[BrowserStage]:
    with browser_stage(tmp_path) as made:
        yield made
