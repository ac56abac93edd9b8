"""Keys, ports, logs and the data folder's lock: what a system keeps on disk."""

from __future__ import annotations

import base64
import json
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import pytest

from persistent_session.data_folder import DataFolder
from persistent_session.errors import CliError, ExitCode
from persistent_session.services.bus_users import BUS_USERS
from persistent_session.services.secrets import API_KEY, MASTER_KEY
from persistent_session.services.table import TABLE
from persistent_session.stack import logs, ports, running_stack, stale_processes
from persistent_session.stack.keys import open_keys
from persistent_session.stack.lock_file import is_locked, locked
from persistent_session.stack.plan import chosen_ports


def test_keys_are_made_once_and_stay(tmp_path: Path) -> None:
    first = open_keys(DataFolder(tmp_path))
    before = {path.name: path.read_text() for path in first.data.keys.iterdir()}
    second = open_keys(DataFolder(tmp_path))
    assert first.created == set(before)
    assert second.created == frozenset()
    assert {path.name: path.read_text() for path in second.data.keys.iterdir()} == before


def test_keys_can_be_read_by_their_owner_alone_also_after_somebody_opened_them(tmp_path: Path) -> None:
    keys = open_keys(DataFolder(tmp_path))
    folder = keys.data.keys
    keys.path(MASTER_KEY).chmod(0o644)
    folder.chmod(0o755)
    open_keys(keys.data)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_the_master_key_is_32_random_bytes(tmp_path: Path) -> None:
    assert len(base64.b64decode(open_keys(DataFolder(tmp_path / "a")).read(MASTER_KEY), validate=True)) == 32
    assert open_keys(DataFolder(tmp_path / "a")).read(MASTER_KEY) != open_keys(DataFolder(tmp_path / "b")).read(
        MASTER_KEY
    )


def test_each_user_of_the_bus_has_a_key_of_its_own(tmp_path: Path) -> None:
    keys = open_keys(DataFolder(tmp_path))
    assert set(keys.bus_public_keys()) == set(BUS_USERS)
    public = set(keys.bus_public_keys().values())
    assert len(public) == len(BUS_USERS)
    assert all(key.startswith("U") for key in public)


def test_an_empty_key_file_is_told_and_never_filled_with_a_new_key(tmp_path: Path) -> None:
    path = open_keys(DataFolder(tmp_path)).path(MASTER_KEY)
    path.write_text("")
    with pytest.raises(CliError, match="master-key is empty"):
        open_keys(DataFolder(tmp_path))
    assert path.read_text() == ""


def test_a_key_half_written_by_a_killed_start_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    (folder / f".{API_KEY.name}.new").write_text("ps_half")
    assert open_keys(DataFolder(tmp_path)).read(API_KEY) != "ps_half"


def test_where_the_user_gave_a_key_none_is_made(tmp_path: Path) -> None:
    assert not open_keys(DataFolder(tmp_path), given=[API_KEY]).path(API_KEY).exists()


def test_an_existing_data_folder_is_found_again_by_the_names_that_its_files_have(tmp_path: Path) -> None:
    keys = open_keys(DataFolder(tmp_path))
    names = {
        "api-key", "cookie-secret", "master-key", "s3-access-key", "s3-secret-key", "s3-tls", "metrics-token",
        "nats-store-key",
        "nkey-backup", "nkey-browser-worker", "nkey-gateway", "nkey-health", "nkey-monitor", "nkey-setup",
        "standin-key",
    }  # fmt: skip
    assert keys.created == names
    assert {path.name for path in (tmp_path / "keys").iterdir()} == names
    data = DataFolder(tmp_path)
    folders = {"nats": tmp_path / "nats", "s3": tmp_path / "s3", "standin": tmp_path / "standin"}
    volumes = [volume.name for service in TABLE for volume in service.volumes if not volume.variable]
    assert {name: data.volume(name) for name in volumes} == folders
    assert data.ports == tmp_path / "run" / "ports.json"
    assert set(chosen_ports(demo=True)) == {
        "standin-web", "standin-control", "nats", "s3", "s3-grpc", "s3-master", "s3-master-grpc",
        "s3-volume", "s3-volume-grpc", "s3-filer", "s3-filer-grpc", "s3-admin", "backup-http", "health-http",
        "worker-http", "gateway-http",
    }  # fmt: skip


def test_a_data_folder_that_is_a_file_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(CliError, match="cannot be used"), locked(DataFolder(tmp_path / "data")):
        pytest.fail("a file was locked as a folder")


@pytest.fixture
def reservations() -> Iterator[ports.Reservations]:
    with ports.Reservations() as made:
        yield made


def test_chosen_ports_stay_when_they_are_free_and_differ_from_each_other(reservations: ports.Reservations) -> None:
    names = [f"port-{number}" for number in range(14)]
    first = ports.choose(names, {}, reservations)
    assert len(set(first.values())) == len(names)
    assert ports.choose(names, first, reservations) == first


def test_systems_that_start_together_never_choose_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "LAST", ports.FIRST + 100)  # no server listens yet, so every port looks free to each
    names = [f"port-{number}" for number in range(14)]
    with ports.Reservations() as one, ports.Reservations() as another:
        first = ports.choose(names, {}, one)
        assert not set(first.values()) & set(ports.choose(names, first, another).values())
    with ports.Reservations() as later:
        assert ports.choose(names, first, later) == first


def test_a_reservation_ends_with_its_process() -> None:
    port = ports.LAST
    code = (
        "from persistent_session.stack.ports import Reservations\n"
        f"held = Reservations(); print(held.take({port}), flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=PIPE, stdout=PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        with ports.Reservations() as mine:
            assert not mine.take(port)
            holder.kill()
            holder.wait()
            assert mine.take(port)


def test_a_kept_port_that_somebody_took_is_chosen_anew(reservations: ports.Reservations) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        kept = {"a": taken.getsockname()[1]}
        assert not ports.is_free(kept["a"])
        assert ports.choose(["a"], kept, reservations)["a"] != kept["a"]


def test_two_names_never_get_the_same_kept_port(reservations: ports.Reservations) -> None:
    port = ports.choose(["a"], {}, reservations)["a"]
    chosen = ports.choose(["a", "b"], {"a": port, "b": port}, reservations)
    assert chosen["a"] == port
    assert chosen["b"] != port


def test_who_holds_a_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "pid" in ports.holder(taken.getsockname()[1])


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": "b"}', "\x00"])
def test_a_damaged_list_of_ports_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "ports.json").write_text(text)
    assert ports.read(tmp_path / "ports.json") == {}


def test_one_data_folder_holds_one_system(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    with locked(data):
        assert is_locked(data)
        with pytest.raises(CliError, match="already runs") as told, locked(data):
            pytest.fail("locked twice")
    assert told.value.code is ExitCode.BUSY
    assert not is_locked(data)


def test_what_a_killed_system_wrote_down_is_not_believed(tmp_path: Path) -> None:
    stack = running_stack.RunningStack(
        pid=1, gateway_url="http://x", page_url="", data_dir="", session_path="", backup_session_path="", client_id="c"
    )
    data = DataFolder(tmp_path / "data")
    with locked(data):
        running_stack.write(data, stack)
        assert running_stack.read(data) == stack
    assert running_stack.read(data) is None


def test_a_process_id_that_now_belongs_to_somebody_else_is_not_stale(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    (run_dir / "processes.json").write_text(json.dumps({"1": 12.5, "x": 1.0, "999999999": 1.0}))
    assert stale_processes.find(DataFolder(tmp_path)) == []


def test_a_big_log_is_put_aside_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "a.log"
    logs.open_log(path).close()
    path.write_bytes(b"x" * (logs.ROTATE_BYTES + 1))
    with logs.open_log(path) as fresh:
        fresh.write(b"new\n")
    assert path.read_bytes() == b"new\n"
    assert path.with_name("a.log.1").stat().st_size == logs.ROTATE_BYTES + 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_log_that_grows_while_it_runs_is_shortened_under_its_writer(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with logs.open_log(path) as writer:
        writer.write(b"x" * (logs.ROTATE_BYTES * 4 + 1))
        writer.flush()
        tail = logs.Tail(path)
        assert logs.copy_and_truncate(path)
        writer.write(b"after\n")
        writer.flush()
        assert path.read_bytes() == b"after\n"
        assert tail.new_lines() == ["after"]


def test_a_tail_gives_whole_lines_once(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("old\n")
    tail = logs.Tail(path)
    with path.open("a") as file:
        file.write("one\ntw")
        file.flush()
        assert tail.new_lines() == ["one"]
        file.write("o\n")
        file.flush()
        assert tail.new_lines() == ["two"]
    assert tail.new_lines() == []


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('{"level": "warning", "event": "bus_lost"}', "warning: bus_lost"),
        ('{"level": "error", "event": "x", "code": "c", "exception": "Traceback secret"}', "error: x · c"),
        ('{"level": "info", "event": "fine"}', ""),
        ("Traceback (most recent call last):", ""),
        ("{not json", ""),
        ("[1]", ""),
        ('{"level": ["warning"]}', ""),
    ],
)
def test_the_terminal_sees_what_a_service_complains_about_and_nothing_else(line: str, shown: str) -> None:
    assert logs.warning_text(line) == shown
