from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from worker_processes import Ground, Scene, ground, scene

from shared.testing import S3Server


@pytest.fixture(scope="session")
def worker_ground(tmp_path_factory: pytest.TempPathFactory, s3: S3Server) -> Iterator[Ground]:
    """NATS and the backup service for all tests that kill neither."""
    with ground(tmp_path_factory.mktemp("ground"), s3) as made:
        yield made


@pytest.fixture
async def stage(tmp_path: Path, worker_ground: Ground) -> AsyncIterator[Scene]:
    async with scene(tmp_path, worker_ground) as made:
        yield made
