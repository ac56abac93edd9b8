"""The folders that a worker makes hold a login: they are its user's alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from worker_processes import ground, scene

from shared.testing import S3Server, eventually

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("there", [False, True], ids=["new", "there-already"])
async def test_the_folders_are_private_and_those_that_were_there_keep_their_mode(
    tmp_path: Path, s3: S3Server, there: bool
) -> None:
    with ground(tmp_path, s3) as made:
        async with scene(tmp_path, made) as stage:
            worker = stage.worker("first", FORCE_SAVE_INTERVAL_MS="1000")
            if there:
                for folder in (worker.sessions, worker.saves):
                    folder.mkdir()
                    folder.chmod(0o750)
            before = os.umask(0)
            try:
                worker.start()
            finally:
                os.umask(before)
            await stage.link()
            await eventually(worker.saves.is_dir, timeout=30)
            assert {mode(worker.sessions), mode(worker.saves)} == {0o750 if there else 0o700}
            inside = [path for folder in (worker.sessions, worker.saves) for path in folder.iterdir()]
            assert {mode(path) for path in inside if path.is_dir()} == {0o700}
