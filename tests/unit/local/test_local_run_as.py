"""Whom a system runs as where root started it; who decides, and what is said where it stays root."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

import pytest

from persistent_session.settings import StackSettings, read_settings
from persistent_session.stack import run_as

ALICE, BOB, ITS_OWN = 4001, 4002, 4003


def entry(name: str, uid: int) -> pwd.struct_passwd:
    return pwd.struct_passwd((name, "x", uid, uid, "", f"/home/{name}", "/bin/sh"))


class Machine:
    """The users of a machine, and who owns the data folder."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.users = {"root": entry("root", 0), "alice": entry("alice", ALICE), "bob": entry("bob", BOB)}
        self.folder = folder
        self.patch = monkeypatch
        self.patch.setattr(os, "geteuid", lambda: 0)
        self.patch.setattr(pwd, "getpwuid", lambda uid: {user.pw_uid: user for user in self.users.values()}[uid])
        self.patch.setattr(pwd, "getpwnam", lambda name: self.users[name])

    def owned_by(self, uid: int) -> None:
        real = Path.stat

        def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
            found = list(real(path, follow_symlinks=follow_symlinks))
            found[4] = uid
            return os.stat_result(found)

        self.patch.setattr(Path, "stat", stat)

    def settings(self, environ: Mapping[str, str]) -> StackSettings:
        return read_settings({"DATA_DIR": str(self.folder), **environ}, demo=False, here=self.folder)

    def chosen(self, **environ: str) -> str:
        found = run_as.candidate(self.settings(environ), environ)
        return found.pw_name if found else ""

    def decided(self, **environ: str) -> run_as.Decision:
        return run_as.decide(self.settings(environ), environ)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    made = Machine(monkeypatch, tmp_path)
    made.owned_by(0)
    return made


def test_another_user_than_root_has_nothing_to_decide(machine: Machine) -> None:
    machine.patch.setattr(os, "geteuid", lambda: ALICE)
    assert machine.decided(SUDO_UID=str(BOB)) == run_as.Decision(user=None, reason="")


def test_who_called_sudo_comes_before_the_owner_of_the_data_and_the_dedicated_user_last(machine: Machine) -> None:
    assert machine.chosen() == ""
    machine.users[run_as.DEDICATED] = entry(run_as.DEDICATED, ITS_OWN)
    assert machine.chosen() == run_as.DEDICATED
    machine.owned_by(ALICE)
    assert machine.chosen() == "alice"
    assert machine.chosen(SUDO_UID=str(BOB)) == "bob"


@pytest.mark.parametrize("uid", ["", "0", "-1", "bob", "99999", "9" * 40, "4002x"])
def test_a_strange_sudo_uid_names_nobody_and_never_root(machine: Machine, uid: str) -> None:
    assert machine.chosen(SUDO_UID=uid) == ""
    machine.users[run_as.DEDICATED] = entry(run_as.DEDICATED, 0)
    assert machine.chosen(SUDO_UID=uid) == ""


def test_where_nobody_is_named_it_stays_root_and_says_how_to_change_that(machine: Machine) -> None:
    decision = machine.decided()
    assert decision.user is None
    assert "root" in decision.reason
    assert "useradd" in decision.reason


def test_a_port_that_only_root_may_take_keeps_root(machine: Machine) -> None:
    machine.patch.setattr(run_as, "_lowest_port", lambda: 1024)
    decision = machine.decided(SUDO_UID=str(BOB), GATEWAY_PORT="443")
    assert decision.user is None
    assert "bob may not listen on GATEWAY_PORT 443" in decision.reason


@pytest.mark.parametrize(
    ("able", "why"),
    [
        (set(), "cannot use the Python environment"),
        ({"run"}, "cannot read the file of API_KEY_FILE"),
        ({"run", "read"}, "does not own"),
    ],
)
def test_what_the_user_cannot_do_is_said_and_it_stays_root(machine: Machine, able: set[str], why: str) -> None:
    key = machine.folder / "key"
    key.write_text("0123456789abcdef" * 3)
    asked = {run_as._CAN_RUN: "run", run_as._MAY_READ: "read", run_as._MAY_WRITE: "write"}
    machine.patch.setattr(
        run_as, "_can", lambda _user, *words: any(asked[word] in able for word in words if word in asked)
    )
    decision = machine.decided(SUDO_UID=str(BOB), API_KEY_FILE=str(key))
    assert decision.user is None
    assert why in decision.reason


def test_a_file_of_another_user_in_the_data_keeps_root_until_it_is_given_away(machine: Machine) -> None:
    machine.patch.setattr(run_as, "_can", lambda *_: True)
    (machine.folder / "keys").mkdir()
    decision = machine.decided(SUDO_UID=str(BOB))
    assert f"chown -R bob {machine.folder}" in decision.reason
    (machine.folder / "keys").rmdir()
    decision = machine.decided(SUDO_UID=str(BOB))
    assert decision.user == machine.users["bob"]
    assert "sandbox is on" in decision.reason
