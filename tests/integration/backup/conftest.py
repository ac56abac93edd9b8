"""Lets these tests import `backup_support`, and runs one backup service for the tests that kill nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.testing import NatsServer, S3Server

_SUPPORT = str(Path(__file__).parents[2] / "integration" / "backup" / "support")
if _SUPPORT not in sys.path:
    sys.path.insert(0, _SUPPORT)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, nats: NatsServer, s3: S3Server) -> Iterator[object]:
    from backup_support import BackupService

    running = BackupService(tmp_path_factory.mktemp("backup"), nats, s3, HTTP_PORT="0")
    running.start()
    yield running
    running.stop()
