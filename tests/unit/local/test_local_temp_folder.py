"""The temp folder of a system: its own, empty at each start, gone after each stop, and never somebody else's."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persistent_session.data_folder import LONGEST_TEMP, DataFolder
from persistent_session.errors import CliError
from persistent_session.stack import seaweed, temp_folder
from persistent_session.stack.plan import chosen_ports

SOCKET_PATH = 107
BELOW = "/org.chromium.Chromium.AbCdEf/SingletonSocket"
"""The longest path below a temp folder that a browser makes a socket at."""


@given(st.text(alphabet="aé/", min_size=1, max_size=150).map(lambda name: DataFolder(Path("/") / name.strip("/"))))
def test_a_browsers_socket_fits_whatever_the_data_folder_is_called(data: DataFolder) -> None:
    assert len(os.fsencode(str(data.temp) + BELOW)) <= SOCKET_PATH
    assert data.temp != DataFolder(data.path / "other").temp


def test_it_lies_in_the_data_folder_where_that_is_short_enough() -> None:
    assert DataFolder(Path("/srv/whatsapp/data")).temp == Path("/srv/whatsapp/data/run/tmp")
    assert len(str(DataFolder(Path("/" + "x" * LONGEST_TEMP)).temp)) <= LONGEST_TEMP


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataFolder:
    """A data folder whose temp folder lies in the machine's."""
    monkeypatch.setattr("persistent_session.data_folder.MACHINE_TEMP", tmp_path)
    return DataFolder(tmp_path / ("x" * LONGEST_TEMP))


def test_what_a_killed_run_left_goes_at_the_next_start_and_all_at_the_stop(far: DataFolder) -> None:
    temp_folder.make_empty(far)
    (far.temp / "playwright-artifacts").mkdir()
    (far.temp / "playwright-artifacts" / "left").write_text("a QR code")
    temp_folder.make_empty(far)
    assert list(far.temp.iterdir()) == []
    assert stat.S_IMODE(far.temp.stat().st_mode) == 0o700
    temp_folder.remove(far)
    assert not far.temp.exists()


@pytest.mark.parametrize("trap", ["link", "file"])
def test_what_somebody_put_in_its_place_is_neither_used_nor_followed(
    far: DataFolder, tmp_path: Path, trap: str
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "kept").touch()
    far.temp.symlink_to(victim) if trap == "link" else far.temp.touch()
    with pytest.raises(CliError, match="temp folder"):
        temp_folder.make_empty(far)
    temp_folder.remove(far)
    assert (victim / "kept").exists()


def test_a_folder_of_another_user_is_refused(far: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(CliError, match="others"):
        temp_folder.make_empty(far)


def test_only_sockets_that_nobody_listens_on_are_removed(tmp_path: Path) -> None:
    dead, alive, file = tmp_path / "dead", tmp_path / "alive", tmp_path / "file"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(dead))
    file.touch()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(alive))
        server.listen()
        temp_folder.remove_dead_sockets([dead, alive, file, tmp_path / "absent"])
        assert [path.exists() for path in (dead, alive, file)] == [False, True, True]


def test_the_sockets_of_a_store_are_known_by_its_ports_also_where_some_are_unknown() -> None:
    known = {name: 20_000 + number for number, name in enumerate(chosen_ports(demo=False))}
    names = {path.name for path in seaweed.sockets(known)}
    assert f"seaweedfs-filer-grpc-{known['s3-filer-grpc']}.sock" in names
    assert f"seaweedfs-s3-{known['s3']}.sock" in names
    assert len(names) == 7
    assert seaweed.sockets({})
